"""dpkg's database as it is between unpacking and configuring: status, info, triggers (dpkg's lib/dpkg, deb-triggers(5))."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from holdfast.base.errors import HoldfastError
from holdfast.distro.debian import within
from holdfast.distro.debian.compose import share
from holdfast.distro.debian.deb import Unpacked, is_name
from holdfast.distro.debian.deb822 import Paragraph, parse_paragraphs

_OWN_FIELDS = ("status", "conffiles")
_PLACE = "/var/lib/dpkg"


def write_database(
    root: Path,
    packages: Sequence[Unpacked],
    listed: Sequence[Sequence[str]],
    *,
    hold: Collection[str],
    epoch: int,
) -> None:
    """Tell dpkg that ``packages`` are unpacked in ``root`` and not configured.

    ``listed`` has the paths of each package; a package in ``hold`` is one that apt must never change; ``epoch`` bounds the
    times of what is shared with the cache.
    """
    info = within.make_directory(root, f"{_PLACE}/info")
    for name in ("updates", "parts", "alternatives"):
        within.make_directory(root, f"{_PLACE}/{name}")
    for name in ("available", "diversions", "statoverride"):
        within.write(root, f"{_PLACE}/{name}", "")
    within.write(root, f"{_PLACE}/info/format", "1\n")
    for package, paths in zip(packages, listed, strict=True):
        for name in package.control_files:
            target = info / f"{package.info_name}.{name}"
            target.unlink(missing_ok=True)
            source = f"{package.place}/control/{name}"
            share(source, str(target), os.lstat(source).st_mtime, epoch)
        text = "".join(f"{path}\n" for path in paths)
        within.write(root, f"{_PLACE}/info/{package.info_name}.list", text)
    write_triggers(root, packages)
    stanzas = (
        status_stanza(package, conffiles(package), hold=package.name in hold)
        for package in sorted(packages, key=lambda package: (package.name, package.control["architecture"]))
    )
    within.write(root, f"{_PLACE}/status", "\n".join(stanzas))


def conffiles(package: Unpacked) -> tuple[tuple[str, str], ...]:
    """(path, md5) of the configuration files that the package ships. They are in place already, so dpkg has nothing to ask."""
    shipped = {entry.path for entry in package.entries if entry.kind in ("file", "hardlink")}
    found: list[tuple[str, str]] = []
    for line in (package.control_file("conffiles") or "").splitlines():
        words = line.split(" ")
        if not line.startswith("/"):  # "remove-on-upgrade PATH": there is no such file in the package
            continue
        path = words[0].lstrip("/")
        if path in shipped:
            content = package.data(path).read_bytes()
            found.append((line, hashlib.md5(content, usedforsecurity=False).hexdigest()))
    return tuple(found)


def status_stanza(package: Unpacked, configuration: Iterable[tuple[str, str]], *, hold: bool) -> str:
    """The package's paragraph in ``/var/lib/dpkg/status``, with a newline at its end."""
    lines = [line for line in package.control_text.strip("\n").split("\n") if line]
    kept: list[str] = []
    keep = True
    for line in lines:
        if line[0] not in " \t":
            keep = line.partition(":")[0].lower() not in _OWN_FIELDS
        if keep:
            kept.append(line)
    kept.insert(1, f"Status: {'hold' if hold else 'install'} ok unpacked")
    entries = [f" {path} {digest}" for path, digest in configuration]
    return "\n".join([*kept, *(["Conffiles:", *entries] if entries else [])]) + "\n"


def write_triggers(root: Path, packages: Iterable[Unpacked]) -> None:
    """Register who is interested in which trigger, as unpacking would have.

    Raises:
        HoldfastError: a trigger's name is none that dpkg would take.
    """
    files: list[str] = []
    named: dict[str, list[str]] = {}
    for package in sorted(packages, key=lambda package: package.info_name):
        for directive, trigger in parse_triggers(package.control_file("triggers") or ""):
            if not directive.startswith("interest"):
                continue
            who = package.info_name + ("/noawait" if directive == "interest-noawait" else "")
            if trigger.startswith("/"):
                files.append(f"{trigger} {who}\n")
            elif is_name(trigger):
                named.setdefault(trigger, []).append(f"{who}\n")
            else:
                raise HoldfastError(
                    f"the package {package.name} is interested in {trigger!r}, which is no trigger",
                    resolution="Do not use this package.",
                )
    within.write(root, f"{_PLACE}/triggers/File", "".join(files))
    within.write(root, f"{_PLACE}/triggers/Unincorp", "")
    for trigger, lines in named.items():
        within.write(root, f"{_PLACE}/triggers/{trigger}", "".join(lines))


def parse_triggers(text: str) -> list[tuple[str, str]]:
    """(directive, trigger) of each line of a ``triggers`` control file (deb-triggers(5))."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) == 2:
            found.append((words[0], words[1]))
    return found


def write_automatic_marks(root: Path, names: Iterable[str], architecture: str) -> None:
    """Tell apt which packages are there only because others need them (``/var/lib/apt/extended_states``)."""
    within.write(
        root,
        "/var/lib/apt/extended_states",
        "".join(
            f"Package: {name}\nArchitecture: {architecture}\nAuto-Installed: 1\n\n" for name in sorted(names)
        ),
    )


def read_status(root: Path) -> tuple[Paragraph, ...]:
    """Every paragraph of the dpkg status file of the system at ``root``; none when there is no such file."""
    return tuple(parse_paragraphs(within.read(root, f"{_PLACE}/status") or ""))


def unfinished(root: Path) -> Mapping[str, str]:
    """Package to state, of those that are neither installed nor gone."""
    return {
        paragraph["package"]: paragraph.get("status", "")
        for paragraph in read_status(root)
        if paragraph.get("status", "").split()[-1:]
        not in (["installed"], ["not-installed"], ["config-files"])
    }
