"""What apt and dpkg must know on the system: sources with their keys, and holds (pure).

A hold is the selection state that dpkg keeps in ``/var/lib/dpkg/status`` (``hold ok installed``): the one place that dpkg,
apt, aptitude and unattended-upgrades all respect. An apt preferences file would bind only apt.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from holdfast.manifest.model import Source

STATUS = "/var/lib/dpkg/status"
_MIRRORS: Mapping[str, str] = {
    "debian": "http://deb.debian.org/debian",
    "debian-security": "http://deb.debian.org/debian-security",
    "ubuntu": "http://archive.ubuntu.com/ubuntu",
    "ubuntu-security": "http://security.ubuntu.com/ubuntu",
    "ubuntu-ports": "http://ports.ubuntu.com/ubuntu-ports",
}


def wish_sources(
    repositories: Mapping[str, Source], put: Callable[[str, str, str], None], declared: Callable[[str], bool]
) -> tuple[str, ...]:
    """Hand sources.list(5) files in deb822 form and their keys to ``put``; a path that the definition has itself is left to it."""
    problems: list[str] = []
    for name, source in sorted(repositories.items()):
        path = f"/etc/apt/sources.list.d/{name}.sources"
        if declared(path):
            continue
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            problems.append(
                f"{name!r} is no repository name: only letters, digits, '_', '.' and '-' (sources.list(5))"
            )
            continue
        mirror = source.mirror or _MIRRORS.get(source.archive)
        if mirror is None:
            problems.append(
                f"repository {name!r} has no mirror, and the archive {source.archive!r} is not known"
            )
            continue
        key_path = f"/etc/apt/keyrings/{name}.asc"
        lines = ["Types: deb", f"URIs: {mirror}", f"Suites: {source.suite}"]
        if source.components:
            lines.append(f"Components: {' '.join(source.components)}")
        if not source.check_valid_until:
            lines.append("Check-Valid-Until: no")
        if source.key is not None:
            lines.append(f"Signed-By: {key_path}")
            put(
                key_path,
                source.key if source.key.endswith("\n") else source.key + "\n",
                f"key of repository {name}",
            )
        put(path, "\n".join(lines) + "\n", f"repository {name}")
    return tuple(problems)


def hold(status: bytes, wanted: tuple[str, ...], ours: tuple[str, ...]) -> tuple[bytes, tuple[str, ...]]:
    """dpkg's status file with the packages ``wanted`` on hold and those of ``ours`` that are not wanted released.

    Returns the new file and the wanted packages that are not installed.
    """
    missing = set(wanted)
    stanzas = status.split(b"\n\n")
    for index, stanza in enumerate(stanzas):
        found = re.search(rb"^Package: (\S+)$", stanza, re.MULTILINE)
        name = found[1].decode("utf-8", "replace") if found else ""
        if name in wanted and re.search(rb"^Status: \S+ ok installed$", stanza, re.MULTILINE):
            missing.discard(name)
            stanzas[index] = re.sub(
                rb"^Status: \S+ ok ", b"Status: hold ok ", stanza, count=1, flags=re.MULTILINE
            )
        elif name in ours and name not in wanted:
            stanzas[index] = re.sub(
                rb"^Status: hold ok ", b"Status: install ok ", stanza, count=1, flags=re.MULTILINE
            )
    return b"\n\n".join(stanzas), tuple(sorted(missing))
