"""What dpkg(1) and apt know of a machine: packages somebody asked for, and which files in /etc are whose."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from holdfast.base.records import dataclass
from holdfast.host.files.nodes import File
from holdfast.host.files.rooted import RootDirectory

_STATUS = "/var/lib/dpkg/status"
_EXTENDED = "/var/lib/apt/extended_states"
_INFO = "/var/lib/dpkg/info"
_UCF = "/var/lib/ucf/hashfile"
_BASE = ("required", "important", "standard")
"""Priorities of what an installation has by itself, see Debian policy 2.5."""


@dataclass(frozen=True)
class Package:
    """One installed package."""

    name: str
    version: str
    architecture: str
    base: bool
    library: bool
    depends: frozenset[str]
    held: bool


@dataclass(frozen=True)
class Dpkg:
    packages: Mapping[str, Package] = field(default_factory=lambda: {})
    """By name, with its architecture where that is foreign."""
    conffiles: Mapping[str, str] = field(default_factory=lambda: {})
    """Path to MD5 sum in hex, of the file as packages bring it; those of ucf(1) too."""
    owned: frozenset[str] = frozenset()
    """Paths in /etc that packages contain."""

    def version(self, name: str) -> str | None:
        return self.packages[name].version if name in self.packages else None

    @property
    def architecture(self) -> str:
        return self.packages["dpkg"].architecture if "dpkg" in self.packages else ""


def read_dpkg(root: RootDirectory) -> Dpkg:
    """Read dpkg's database; everything is empty where there is none.

    Raises:
        OSError: it cannot be read.
    """
    text = (root.read(_STATUS) or b"").decode("utf-8", "replace")
    stanzas = [fields for stanza in text.split("\n\n") if (fields := _fields(stanza))]
    native = next((one["Architecture"] for one in stanzas if one.get("Package") == "dpkg"), "")
    packages: dict[str, Package] = {}
    conffiles: dict[str, str] = {}
    for fields in stanzas:
        words = fields.get("Status", "").split()
        for line in fields.get("Conffiles", "").splitlines():
            path, _, rest = line.strip().partition(" ")
            if re.match("[0-9a-f]{32}", rest):
                conffiles[path] = rest[:32]
        if words[1:] != ["ok", "installed"]:
            continue
        architecture = fields.get("Architecture", "")
        foreign = architecture not in (native, "all")
        name = fields["Package"] + (f":{architecture}" if foreign else "")
        packages[name] = Package(
            fields["Package"],
            fields.get("Version", ""),
            architecture,
            base=fields.get("Priority") in _BASE
            or "yes" in (fields.get("Essential"), fields.get("Protected")),
            library=fields.get("Section", "").rpartition("/")[2] in ("libs", "oldlibs"),
            depends=frozenset(_names(fields.get("Depends", "")) | _names(fields.get("Pre-Depends", ""))),
            held=words[0] == "hold",
        )
    conffiles.update(_ucf(root))
    return Dpkg(packages, conffiles, frozenset(_owned(root)))


def asked_for(dpkg: Dpkg, root: RootDirectory) -> tuple[str, ...]:
    """Packages that somebody installed on purpose: neither base, nor there only because others need them.

    apt's marks say so. Installers leave many unmarked: libraries that something needs are no purpose; and where there are no marks at
    all, nothing that something else needs is.
    """
    marks = root.read(_EXTENDED)
    auto = set(_auto((marks or b"").decode("utf-8", "replace")))
    needed = frozenset[str]().union(*(package.depends for package in dpkg.packages.values()))
    return tuple(
        sorted(
            name
            for name, package in dpkg.packages.items()
            if not package.base
            and name not in auto
            and not (package.name in needed and (package.library or marks is None))
        )
    )


def _auto(text: str) -> Iterable[str]:
    for stanza in text.split("\n\n"):
        fields = _fields(stanza)
        if fields.get("Auto-Installed") == "1":
            yield fields["Package"]
            yield f"{fields['Package']}:{fields.get('Architecture', '')}"


def _fields(stanza: str) -> dict[str, str]:
    """A stanza of deb822(5); lines of one field are kept apart."""
    found: dict[str, str] = {}
    key = ""
    for line in stanza.strip("\n").splitlines():
        if line[:1] in (" ", "\t"):
            if key in ("Conffiles",):
                found[key] += f"\n{line}"
            continue
        key, _, value = line.partition(":")
        found[key] = value.strip()
    return found


def _names(relation: str) -> set[str]:
    return set(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", relation))


def _ucf(root: RootDirectory) -> dict[str, str]:
    text = (root.read(_UCF) or b"").decode("utf-8", "replace")
    return {path: digest for digest, path in re.findall(r"^([0-9a-f]{32})\s+(/\S+)$", text, re.MULTILINE)}


def _owned(root: RootDirectory) -> Iterable[str]:
    for name, node in root.scan(_INFO).items():
        if name.endswith(".list") and isinstance(node, File):
            data = root.read(f"{_INFO}/{name}") or b""
            for path in re.findall(rb"^/etc/.+$", data, re.MULTILINE):
                yield path.decode("utf-8", "replace")
