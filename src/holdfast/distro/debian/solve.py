"""Choosing packages: Debian's own apt does it, in a directory of its own, from our verified indexes and an empty system."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast.base.digests import Digest, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import stage
from holdfast.base.process import Completed, run
from holdfast.base.records import dataclass
from holdfast.distro.debian.indexes import ReleaseFile
from holdfast.distro.debian.packages import Record, essential_packages, find_records, nearest_names
from holdfast.distro.lockfile import LockedPackage, LockedSource
from holdfast.manifest.model import Packages
from holdfast.sandbox import Bind, ToolsTree
from holdfast.store import Store

_INSTALLED = re.compile(
    r"^Inst (?P<name>[^\s:]+)(?::\S+)? \((?P<version>\S+) .*\[(?P<architecture>[^\]]+)\]\)"
)
_NOT_LOCATED = re.compile(r"^E: Unable to locate package (?P<name>\S+)", re.M)
_NO_CANDIDATE = re.compile(r"^E: (?:Package '(?P<name>[^']+)' has no installation candidate)", re.M)
_NAME = re.compile(r"[a-z0-9][a-z0-9+.\-]*(?::[a-z0-9\-]+)?(?:[=/][A-Za-z0-9.+:~\-]+)?")

_RELEASE_FIELDS = ("origin", "label", "suite", "codename", "version", "notautomatic", "butautomaticupgrades")

_CONFIGURATION = """\
Dir "{place}";
Dir::State "state";
Dir::State::status "status";
Dir::Cache "cache";
Dir::Etc "etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::trusted "/dev/null";
Dir::Etc::trustedparts "/dev/null";
Dir::Log "log";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "{recommends}";
APT::Install-Suggests "false";
APT::Sandbox::User "";
APT::Get::Assume-Yes "true";
APT::Get::Show-User-Simulation-Note "false";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
Acquire::Check-Date "false";
"""
"""apt.conf(5). Nothing of the machine's own configuration is read; ages were checked when the indexes were fetched."""


@dataclass(frozen=True)
class Apt:
    """An apt to ask: the machine's, or that of a tools tree."""

    tools: ToolsTree | None = None

    def run(self, words: Sequence[str], place: Path) -> Completed:
        env = {"APT_CONFIG": str(place / "apt.conf")}
        if self.tools is None:
            return run(words, env=env, check=False)
        return self.tools.run(words, env=env, binds={str(place): Bind(place, writable=True)}, check=False)

    def version(self) -> str:
        """``apt 3.0.3``."""
        if self.tools is None and shutil.which("apt-get") is None:
            raise HoldfastError(
                "this machine has no apt to choose packages with",
                resolution="Lock on a machine that runs Debian or a system derived from it; the lock serves everywhere.",
            )
        words = ["apt-get", "--version"]
        completed = run(words) if self.tools is None else self.tools.run(words)
        return " ".join(completed.text.split()[:2])


@dataclass(frozen=True)
class Index:
    """One Packages file to choose from."""

    source: LockedSource
    component: str
    digest: Digest
    release: ReleaseFile


def solve(
    store: Store,
    apt: Apt,
    indexes: Sequence[Index],
    *,
    architecture: str,
    base: Sequence[str],
    request: Packages,
    pinned: Mapping[str, str],
) -> tuple[LockedPackage, ...]:
    """The closed set of packages for ``base`` (which includes what is essential) and ``request`` on an empty system.

    ``pinned`` are versions that are kept where they still exist.

    Raises:
        HoldfastError: a package does not exist (names the nearest), or apt finds no solution (its own words).
    """
    texts = [store.blobs.path(index.digest).read_bytes() for index in indexes]
    wanted = sorted({*essential_packages(texts[0] if texts else b""), *base, *request.install})
    _check_names([*wanted, *request.remove, *request.hold], texts)
    with stage("Choosing packages") as progress, store.scratch("solve") as place:
        with explain_os_errors("prepare apt's directory"):
            _prepare(store, place, indexes, architecture, request, pinned)
        words = [*wanted, *(f"{name}-" for name in request.remove)]
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-s", "-q", "--no-remove", "--", *words],
        ):
            completed = apt.run(command, place)
            output = completed.stderr.decode(errors="replace")
            if completed.returncode != 0 or "\nE: " in f"\n{output}":
                raise _explain(completed, texts)
        chosen = parse_simulation(completed.text)
        progress.note = f"{len(chosen)} packages"
    return _look_up(indexes, texts, chosen, manual={re.split("[=/:]", name)[0] for name in wanted})


def parse_simulation(output: str) -> tuple[tuple[str, str, str], ...]:
    """(name, version, architecture) of each package that ``apt-get -s install`` would install, in its order."""
    found = (_INSTALLED.match(line) for line in output.splitlines())
    return tuple((match["name"], match["version"], match["architecture"]) for match in found if match)


def _check_names(names: Sequence[str], texts: Sequence[bytes]) -> None:
    """apt takes some words for options, patterns, files or removals: here a package's name is nothing else.

    ``web-`` means "without web" to apt, unless there is a package of that name, as there is a ``g++``.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise HoldfastError(
                f"{name!r} is no package name",
                resolution="Debian's are lower-case letters, digits and + - . (policy section 5.6.1).",
            )
    doubtful = {name for name in names if name[-1] in "+-"}
    for name in sorted(doubtful):
        if not any(b"Package: %s\n" % name.encode() in text for text in texts):
            raise _missing([name], texts)


def _prepare(
    store: Store,
    place: Path,
    indexes: Sequence[Index],
    architecture: str,
    request: Packages,
    pinned: Mapping[str, str],
) -> None:
    for name in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d", "log", "repositories"):
        (place / name).mkdir(parents=True)
    (place / "status").touch()
    (place / "apt.conf").write_text(
        _CONFIGURATION.format(
            place=place, architecture=architecture, recommends="true" if request.recommends else "false"
        )
    )
    lines: list[str] = []
    for number, index in enumerate(indexes):
        repository = place / "repositories" / str(number)
        repository.mkdir()
        _offer(store.blobs.path(index.digest), repository / "Packages")
        size = (repository / "Packages").stat().st_size
        (repository / "Release").write_text(_local_release(index, size))
        lines.append(f"deb [trusted=yes] file:{repository} ./\n")
    (place / "etc/sources.list").write_text("".join(lines))
    (place / "etc/preferences").write_text(
        "\n".join(
            f"Package: {name}\nPin: version {version}\nPin-Priority: 1001\n"
            for name, version in sorted(pinned.items())
        )
    )


def _offer(blob: Path, name: Path) -> None:
    try:
        os.link(blob, name)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(blob, name)


def _local_release(index: Index, size: int) -> str:
    """What apt's policy looks at, of the signed file, for a repository that has just one index."""
    fields = index.release.fields
    kept = "".join(f"{name}: {fields[name]}\n" for name in _RELEASE_FIELDS if name in fields)
    return f"{kept}Date: {fields['date']}\nSHA256:\n {hex_of(index.digest)} {size} Packages\n"


def _explain(completed: Completed, texts: Sequence[bytes]) -> HoldfastError:
    errors = completed.stderr.decode(errors="replace").strip()
    for pattern in (_NOT_LOCATED, _NO_CANDIDATE):
        names = sorted({match["name"] for match in pattern.finditer(errors)})
        if not names:
            continue
        return _missing(names, texts)
    output = completed.text.strip()
    return HoldfastError(
        "apt cannot choose packages for this request",
        details="\n".join(part for part in (output[-4000:], errors) if part),
        resolution="Remove one of the packages in conflict from the definition, or add the source that has what is missing.",
    )


def _missing(names: Sequence[str], texts: Sequence[bytes]) -> HoldfastError:
    near = {name: nearest_names(texts, name) for name in names}
    lines = [
        f"{name}: "
        + (f"did you mean {' or '.join(near[name])}?" if near[name] else "nothing is named like that")
        for name in names
    ]
    return HoldfastError(
        f"no source has the package{'s' if len(names) > 1 else ''} {', '.join(names)}",
        details="\n".join(lines),
        resolution="Correct the name, or add the repository that has it.",
    )


def _look_up(
    indexes: Sequence[Index],
    texts: Sequence[bytes],
    chosen: Sequence[tuple[str, str, str]],
    *,
    manual: set[str],
) -> tuple[LockedPackage, ...]:
    names = {name for name, _, _ in chosen}
    records: dict[tuple[str, str, str], tuple[Record, str]] = {}
    for index, text in zip(indexes, texts, strict=True):
        for record in find_records(text, names):
            key = (record.name, record.version, record.architecture)
            records.setdefault(key, (record, index.source.archive))
    locked: list[LockedPackage] = []
    for key in sorted(chosen):
        if key not in records:
            raise HoldfastError(f"apt chose {key[0]} {key[1]} ({key[2]}), which is in no index")
        record, archive = records[key]
        locked.append(
            LockedPackage(
                record.name,
                record.version,
                record.architecture,
                archive,
                record.path,
                record.size,
                record.sha256,
                automatic=record.name not in manual,
            )
        )
    return tuple(locked)
