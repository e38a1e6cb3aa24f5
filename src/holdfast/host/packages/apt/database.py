"""What dpkg and apt know of the packages of a machine: /var/lib/dpkg/status and /var/lib/apt/extended_states (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field

from holdfast.base.records import dataclass

STATUS = "/var/lib/dpkg/status"
UPDATES = "/var/lib/dpkg/updates"
"""Where dpkg notes changes that are not in the status file yet; not empty only while it runs, or after it was killed."""
EXTENDED_STATES = "/var/lib/apt/extended_states"
INFO = "/var/lib/dpkg/info"

_FIELD = re.compile(
    r"^(Package|Status|Architecture|Version|Essential|Protected|Important|Depends|Pre-Depends|Provides|Installed-Size): *(.*)$",
    re.M,
)
_CONFFILES = re.compile(r"^Conffiles:\n((?: .*(?:\n|\Z))+)", re.M)
_CONFFILE = re.compile(r"^ (/.+) ([0-9a-f]{32})(?: (?:obsolete|remove-on-upgrade))*$", re.M)
_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.\-]*)")
_WHOLE = ("installed", "triggers-awaited", "triggers-pending")


@dataclass(frozen=True)
class Installed:
    """A package that dpkg knows, in whatever state it is."""

    name: str
    architecture: str
    version: str
    status: str
    """``installed``, ``config-files``, ``half-installed`` ...: see dpkg(1)."""
    held: bool = False
    broken: bool = False
    """It has to be installed again before anything else can be done with it (``reinstreq``)."""
    automatic: bool = False
    essential: bool = False
    """Essential or Protected: the machine does not work, or does not start, without it."""
    depends: tuple[tuple[str, ...], ...] = ()
    """Names that satisfy each of its dependencies; versions left out."""
    provides: tuple[str, ...] = ()
    size: int = 0
    """Bytes on disk, as the package says."""

    @property
    def whole(self) -> bool:
        return self.status in _WHOLE and not self.broken


@dataclass(frozen=True)
class Database:
    architecture: str = ""
    """The machine's own; empty where there is no dpkg."""
    packages: Mapping[str, Installed] = field(default_factory=lambda: {})
    """By :func:`key`; those that are not installed at all are left out."""
    conffiles: Mapping[str, str] = field(default_factory=lambda: {})
    """Path to MD5 sum of the file as the package brings it."""

    def whole(self, name: str) -> Installed | None:
        found = self.packages.get(name)
        return found if found is not None and found.whole else None


def key(name: str, architecture: str, native: str) -> str:
    """How a package is called here: ``libc6``, or ``libc6:i386`` where that is not the machine's own architecture."""
    return name if architecture in (native, "all", "") else f"{name}:{architecture}"


def parse(status: bytes, extended: bytes | None) -> Database:
    """Both files, as they are. What cannot be understood is left out, as dpkg does with fields it does not know."""
    stanzas = [(dict(_FIELD.findall(text)), text) for text in status.decode("utf-8", "replace").split("\n\n")]
    native = next((fields["Architecture"] for fields, _ in stanzas if fields.get("Package") == "dpkg"), "")
    automatic = set(_automatic((extended or b"").decode("utf-8", "replace"), native))
    packages: dict[str, Installed] = {}
    conffiles: dict[str, str] = {}
    for fields, text in stanzas:
        words = fields.get("Status", "").split()
        if len(words) != 3 or "Package" not in fields or words[2] == "not-installed":
            continue
        name = key(fields["Package"], fields.get("Architecture", ""), native)
        packages[name] = _installed(fields, words, automatic=name in automatic)
        if "\nConffiles:" in text:
            for found in _CONFFILES.findall(text):
                conffiles.update(_CONFFILE.findall(found))
    return Database(native, packages, conffiles)


def alternatives(relation: str) -> tuple[tuple[str, ...], ...]:
    """Names in each comma-separated group of a relation field (Debian policy chapter 7)."""
    groups: list[tuple[str, ...]] = []
    for group in relation.split(",") if relation else ():
        names = tuple(found[1] for part in group.split("|") if (found := _NAME.match(part)))
        if names:
            groups.append(names)
    return tuple(groups)


def needed_by_others(database: Database, candidates: frozenset[str]) -> dict[str, str]:
    """Those of ``candidates`` that cannot go, because a package that is not among them depends on them, with its name.

    Version requirements are not looked at: that is apt's part, which is asked afterwards.
    """
    providers: dict[str, list[str]] = {}
    for name, package in database.packages.items():
        if package.status == "config-files":
            continue
        for provided in (package.name, *package.provides):
            providers.setdefault(provided, []).append(name)
    going, kept = set(candidates), dict[str, str]()
    todo = [
        name for name, one in database.packages.items() if name not in going and one.status != "config-files"
    ]
    while todo:
        name = todo.pop()
        for group in database.packages[name].depends:
            who = [one for wanted in group for one in providers.get(wanted, ())]
            if who and all(one in going for one in who):
                for one in who:
                    going.discard(one)
                    kept[one] = name
                    todo.append(one)
    return kept


def _installed(fields: Mapping[str, str], words: list[str], *, automatic: bool) -> Installed:
    size = fields.get("Installed-Size", "")
    return Installed(
        fields["Package"],
        fields.get("Architecture", ""),
        fields.get("Version", ""),
        words[2],
        held=words[0] == "hold",
        broken=words[1] != "ok",
        automatic=automatic,
        essential="yes" in (fields.get("Essential"), fields.get("Protected"), fields.get("Important")),
        depends=(
            *alternatives(fields.get("Pre-Depends", "")),
            *alternatives(fields.get("Depends", "")),
        ),
        provides=tuple(name for group in alternatives(fields.get("Provides", "")) for name in group),
        size=int(size) * 1024 if size.isdigit() else 0,
    )


def _automatic(text: str, native: str) -> Iterator[str]:
    for stanza in text.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Architecture|Auto-Installed): *(.*)$", stanza, re.M))
        if fields.get("Auto-Installed") == "1" and "Package" in fields:
            yield key(fields["Package"], fields.get("Architecture", ""), native)
