"""dpkg's database as it is between unpacking and configuring: status, info, triggers (dpkg's lib/dpkg, deb-triggers(5))."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from holdfast.distro.debian.compose import link
from holdfast.distro.debian.deb import Unpacked
from holdfast.distro.debian.deb822 import Paragraph, parse_paragraphs

_OWN_FIELDS = ("status", "conffiles")


def write_database(
    root: Path, packages: Sequence[Unpacked], listed: Sequence[Sequence[str]], *, hold: Collection[str]
) -> None:
    """Tell dpkg that ``packages`` are unpacked in ``root`` and not configured.

    ``listed`` has the paths of each package; a package in ``hold`` is one that apt must never change.
    """
    place = root / "var/lib/dpkg"
    for name in ("info", "triggers", "updates", "parts", "alternatives"):
        (place / name).mkdir(parents=True, exist_ok=True)
    for name in ("available", "diversions", "statoverride"):
        (place / name).touch()
    (place / "info/format").write_text("1\n")
    for package, paths in zip(packages, listed, strict=True):
        stem = f"{place}/info/{package.info_name}"
        for name in package.control_files:
            link(f"{package.place}/control/{name}", f"{stem}.{name}")
        Path(f"{stem}.list").write_text("".join(f"{path}\n" for path in paths), errors="surrogateescape")
    write_triggers(place / "triggers", packages)
    stanzas = (
        status_stanza(package, conffiles(package), hold=package.name in hold)
        for package in sorted(packages, key=lambda package: (package.name, package.control["architecture"]))
    )
    (place / "status").write_text("\n".join(stanzas), errors="surrogateescape")


def conffiles(package: Unpacked) -> tuple[tuple[str, str], ...]:
    """(path, md5) of the configuration files that the package ships. They are in place already, so dpkg has nothing to ask."""
    found: list[tuple[str, str]] = []
    for line in (package.control_file("conffiles") or "").splitlines():
        words = line.split(" ")
        if not line.startswith("/"):  # "remove-on-upgrade PATH": there is no such file in the package
            continue
        path = package.data(words[0].lstrip("/"))
        if path.is_file() and not path.is_symlink():
            found.append((line, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()))
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


def write_triggers(place: Path, packages: Iterable[Unpacked]) -> None:
    """Register who is interested in which trigger, as unpacking would have."""
    files: list[str] = []
    named: dict[str, list[str]] = {}
    for package in sorted(packages, key=lambda package: package.info_name):
        for directive, trigger in parse_triggers(package.control_file("triggers") or ""):
            if not directive.startswith("interest"):
                continue
            who = package.info_name + ("/noawait" if directive == "interest-noawait" else "")
            if trigger.startswith("/"):
                files.append(f"{trigger} {who}\n")
            else:
                named.setdefault(trigger, []).append(f"{who}\n")
    (place / "File").write_text("".join(files))
    (place / "Unincorp").touch()
    for trigger, lines in named.items():
        (place / trigger).write_text("".join(lines))


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
    place = root / "var/lib/apt"
    place.mkdir(parents=True, exist_ok=True)
    (place / "extended_states").write_text(
        "".join(
            f"Package: {name}\nArchitecture: {architecture}\nAuto-Installed: 1\n\n" for name in sorted(names)
        )
    )


def read_status(root: Path) -> tuple[Paragraph, ...]:
    """Every paragraph of the dpkg status file of the system at ``root``; none when there is no such file."""
    try:
        text = (root / "var/lib/dpkg/status").read_text(errors="replace")
    except FileNotFoundError:
        return ()
    return tuple(parse_paragraphs(text))


def unfinished(root: Path) -> Mapping[str, str]:
    """Package to state, of those that are neither installed nor gone."""
    return {
        paragraph["package"]: paragraph.get("status", "")
        for paragraph in read_status(root)
        if paragraph.get("status", "").split()[-1:]
        not in (["installed"], ["not-installed"], ["config-files"])
    }
