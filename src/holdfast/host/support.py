"""Whether a change may be made on this machine at all: its distribution, and the definition's own checks."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.host.failures import RefusedError
from holdfast.host.live import Live
from holdfast.manifest.model import Manifest

_KNOWN: Mapping[str, tuple[str, ...]] = {"debian": ("debian", "ubuntu", "raspbian")}
"""Family to the os-release(5) ids that it is tested or made for; what names one of them in ID_LIKE is warned about."""
_CHECK_SECONDS = 120.0


def parse_os_release(text: str) -> Mapping[str, str]:
    """Variables of os-release(5)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith("#"):
            found[name] = value.strip().strip("\"'")
    return found


def check_support(release: Mapping[str, str], manifest: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Why a machine with this os-release(5) cannot become ``manifest``, and what to warn of (pure)."""
    wanted = manifest.distribution
    known = _KNOWN.get(wanted.family, ())
    name = release.get("ID", "")
    told = release.get("PRETTY_NAME") or name or "an unknown distribution"
    if name not in known and manifest.allow_any_distribution:
        return (), (f"{told} is not tested: allow_any_distribution lets it pass",)
    if name not in known:
        likes = release.get("ID_LIKE", "").split()
        if not set(likes) & set(known):
            where = f"this machine runs {told}, and the definition is for {wanted.family} {wanted.release}"
            return (f"{where} (allow_any_distribution lets it pass)",), ()
        return (), (f"{told} is not tested: it says that it is like {' '.join(likes)}",)
    codename = release.get("VERSION_CODENAME", "")
    if (
        name in known
        and codename
        and codename != wanted.release
        and not _is_unstable(release, wanted.release)
    ):
        return (f"this machine runs {told}, and the definition is for {wanted.release}",), ()
    return (), ()


def _is_unstable(release: Mapping[str, str], wanted: str) -> bool:
    """sid calls itself by the name of the release that testing will become; like that one, it has no number."""
    return wanted == "sid" and "VERSION_ID" not in release


def warn_of_distribution(live: Live, manifest: Manifest) -> tuple[str, ...]:
    """Compare the machine's distribution with the definition's; returns what to warn of. Only a machine that runs is asked.

    Raises:
        RefusedError: it is another one.
    """
    if not live.running:
        return ()
    text = live.root.read("/etc/os-release") or live.root.read("/usr/lib/os-release") or b""
    problems, warnings = check_support(parse_os_release(text.decode(errors="replace")), manifest)
    if problems:
        raise RefusedError(
            problems[0], resolution=f"Give {manifest.name!r} the machine's own distro=, or deploy elsewhere."
        )
    return warnings


def run_checks(manifest: Manifest, live: Live) -> None:
    """Run the definition's own checks; all failures are told together.

    Raises:
        RefusedError: some failed.
    """
    problems = failing_checks(manifest)
    if problems:
        raise RefusedError(
            f"{len(problems)} of the definition's checks failed" if len(problems) > 1 else "a check failed",
            details="\n".join(f"- {problem}" for problem in problems),
            resolution=f"Nothing was changed on {live.path}. Put right what they tell, then run the command again.",
        )


def failing_checks(manifest: Manifest) -> tuple[str, ...]:
    """Run the definition's own checks, which only look; what those that fail say, with their names."""
    problems: list[str] = []
    for name, check in sorted(manifest.checks.items()):
        try:
            done = process.run(check.command, check=False, timeout=_CHECK_SECONDS)
        except HoldfastError as error:
            problems.append(f"{name}: {error.brief}")
            continue
        if done.returncode != 0:
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
            problems.append(f"{name}: {check.message or said or f'exit code {done.returncode}'}")
    return tuple(problems)
