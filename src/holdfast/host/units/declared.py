"""Declared units as files and links below /etc/systemd/system, as `systemctl enable`, `disable` and `mask` leave them (pure).

See systemd.unit(5), section [Install]. Links are those that systemctl(1) makes, with absolute targets.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import field

from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Absent, Symlink, Wish
from holdfast.manifest.model import Unit

SYSTEM = "/etc/systemd/system"
UNIT_DIRECTORIES = (SYSTEM, "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
"""Where packaged units are looked for, best first."""
USER = "/etc/systemd/user"
USER_DIRECTORIES = (USER, "/usr/local/lib/systemd/user", "/usr/lib/systemd/user")
"""The same for the units of users' own managers."""

_SUFFIXES = {"wanted_by": "wants", "required_by": "requires", "upheld_by": "upholds"}


@dataclass(frozen=True)
class Install:
    """The [Install] section of a unit."""

    wanted_by: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    upheld_by: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    default_instance: str | None = None

    @property
    def empty(self) -> bool:
        return not (self.wanted_by or self.required_by or self.upheld_by or self.aliases or self.also)


@dataclass(frozen=True)
class UnitFile:
    """A unit that a package ships, or that a declared file is."""

    path: str
    """Where it is; for an alias, the name of the link."""
    install: Install = field(default_factory=Install)
    alias_of: str | None = None


@dataclass(frozen=True)
class UnitFacts:
    files: Mapping[str, UnitFile] = field(default_factory=lambda: {})
    """Unit name to its file; [Install] is filled in for those that were asked for."""
    links: Mapping[str, str] = field(default_factory=lambda: {})
    """Every link in /etc/systemd/system and one level below: path to target."""
    legacy: frozenset[str] = frozenset()
    """Names in /etc/init.d."""
    taken: Mapping[str, str] = field(default_factory=lambda: {})
    """Links that were there before us and that we took away."""


def parse_install(text: str) -> Install:
    """Read the [Install] section of a unit file; everything else in it is ignored."""
    values: dict[str, list[str]] = {}
    section = ""
    for line in logical_lines(text):
        if line.startswith("["):
            section = line.rstrip()
            continue
        key, separator, value = line.partition("=")
        if section != "[Install]" or not separator:
            continue
        words = value.split()
        if not words:
            values.pop(key.strip(), None)
        values.setdefault(key.strip(), []).extend(words)

    def get(key: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(values.get(key, ())))

    instance = get("DefaultInstance")
    return Install(
        get("WantedBy"),
        get("RequiredBy"),
        get("UpheldBy"),
        get("Alias"),
        get("Also"),
        instance[-1] if instance else None,
    )


def logical_lines(text: str) -> list[str]:
    """Lines with continuations joined and comments dropped, also those within a continuation."""
    lines: list[str] = []
    pending = ""
    for raw in text.splitlines():
        line = raw.strip()
        if line[:1] in ("#", ";"):
            continue
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        if pending + line:
            lines.append(pending + line)
        pending = ""
    return lines if not pending else [*lines, pending]


def template_of(name: str) -> str | None:
    """``foo@.service`` for the instance ``foo@bar.service``; None for anything else."""
    found = re.fullmatch(r"([^@]+@)([^@]+)(\.[a-z]+)", name)
    return found[1] + found[3] if found else None


def wish_units(
    units: Mapping[str, Unit], facts: UnitFacts, put: Callable[[str, str, str], None], place: str = SYSTEM
) -> _Links:
    """The wishes for declared units. ``put(path, text, reason)`` takes the text of unit files and drop-ins."""
    work = _Links(units, facts, place)
    for name, unit in sorted(units.items()):
        if unit.text is not None and not unit.masked:
            put(f"{place}/{name}", unit.text, f"unit {name}")
        for dropin, text in sorted(unit.dropins.items()):
            if "/" in dropin:
                work.problems.append(
                    f"drop-in {dropin!r} of {name} has a / in its name: it is a file name alone"
                )
                continue
            file_name = dropin if dropin.endswith(".conf") else f"{dropin}.conf"
            put(f"{place}/{name}.d/{file_name}", text, f"drop-in {dropin} of {name}")
        work.unit(name, unit)
    return work


class _Links:
    """The links while they are collected: ``wishes`` and ``problems``."""

    def __init__(self, units: Mapping[str, Unit], facts: UnitFacts, place: str) -> None:
        self.units, self.facts, self.place = units, facts, place
        self.wishes: dict[str, Wish] = {}
        self.problems: list[str] = []

    def unit(self, name: str, unit: Unit) -> None:
        if unit.masked:
            if unit.text is not None:
                self.problems.append(f"unit {name!r} has a text and is masked: it can only be one of the two")
            self.wishes[f"{self.place}/{name}"] = Wish(Symlink("/dev/null"), f"unit {name} is masked")
            return
        wants = Install(unit.wanted_by, unit.required_by, unit.upheld_by, unit.aliases)
        if wants.empty and unit.enable is None:
            return
        path = self._path(name)
        if path is None:
            self.problems.append(self._no_such_unit(name))
            return
        self._link(name, path, wants, f"unit {name} is wanted")
        if unit.enable:
            self._enable(name, explicit=True, seen=set())
        elif unit.enable is False:
            self._disable(name, seen=set())

    def _path(self, name: str) -> str | None:
        """The file that a link to the unit points at; for an instance, its template's."""
        for candidate in (name, template_of(name)):
            if candidate is None:
                continue
            declared = self.units.get(candidate)
            if declared is not None and declared.text is not None:
                return f"{self.place}/{candidate}"
            if candidate in self.facts.files:
                return self.facts.files[candidate].path
        return None

    def _install(self, name: str) -> Install | None:
        """[Install] of the unit's own file and of the declared drop-ins; None when there is no file."""
        for candidate in (name, template_of(name)):
            if candidate is None:
                continue
            declared = self.units.get(candidate)
            dropins = [text for _, text in sorted(declared.dropins.items())] if declared else []
            if declared is not None and declared.text is not None:
                return parse_install("\n".join([declared.text, *dropins]))
            if candidate in self.facts.files:
                return _merged(self.facts.files[candidate].install, [parse_install(text) for text in dropins])
        return None

    def _enable(self, name: str, *, explicit: bool, seen: set[str]) -> None:
        if name in seen:
            return
        seen.add(name)
        file = self.facts.files.get(name)
        if explicit and file is not None and file.alias_of is not None:
            self.problems.append(f"unit {name!r} is another name of {file.alias_of!r}: enable that one")
            return
        install, path = self._install(name), self._path(name)
        if install is None or path is None:
            return  # systemctl only warns about a missing unit of Also=
        if explicit and install.empty:
            self.problems.append(
                f"unit {name!r} cannot be enabled: {path} has no [Install] section; say what wants it with wanted_by"
            )
            return
        instance = name
        if "@." in name:
            if install.default_instance is None:
                if explicit:
                    self.problems.append(
                        f"unit {name!r} is a template without DefaultInstance=: enable an instance of it"
                    )
                return
            instance = name.replace("@.", f"@{install.default_instance}.")
        self._link(instance, path, install, f"unit {name} is enabled")
        for other in install.also:
            self._enable(other, explicit=False, seen=seen)

    def _disable(self, name: str, *, seen: set[str]) -> None:
        if name in seen:
            return
        seen.add(name)
        for path, target in {**self.facts.taken, **self.facts.links}.items():
            directory, _, link = path.rpartition("/")
            installed = directory != self.place and (
                link == name or ("@." in name and template_of(link) == name)
            )
            alias = directory == self.place and link != name and target.rpartition("/")[2] == name
            if installed or alias:
                self.wishes.setdefault(path, Wish(Absent(), f"unit {name} is disabled"))
        install = self._install(name)
        for other in install.also if install else ():
            self._disable(other, seen=seen)

    def _link(self, name: str, path: str, install: Install, reason: str) -> None:
        for attribute, suffix in _SUFFIXES.items():
            targets: tuple[str, ...] = getattr(install, attribute)
            for target in targets:
                self._want(f"{self.place}/{_expand(target, name)}.{suffix}/{name}", path, reason)
        for alias in install.aliases:
            self._want(f"{self.place}/{_expand(alias, name)}", path, reason)

    def _want(self, link: str, path: str, reason: str) -> None:
        have = self.facts.links.get(link)
        if have is not None and self._says(link, have, path):
            path = have
        self.wishes[link] = Wish(Symlink(path), reason)

    def _says(self, link: str, have: str, path: str) -> bool:
        """Whether a link leads to ``path`` already, with another spelling of it: it is left as it is."""
        if posixpath.normpath(posixpath.join(posixpath.dirname(link), have)) == path:
            return True
        # /lib is /usr/lib
        packaged = self._packaged(path) and have.startswith("/")
        return packaged and posixpath.basename(have) == posixpath.basename(path)

    def _packaged(self, path: str) -> bool:
        return not path.startswith(f"{self.place}/")

    def _no_such_unit(self, name: str) -> str:
        declared = [other for other, unit in self.units.items() if unit.text is not None]
        near = difflib.get_close_matches(name, [*self.facts.files, *declared], 3)
        if name.removesuffix(".service") in self.facts.legacy:
            return f"unit {name!r} is only a script in /etc/init.d: give it a unit file of its own (text)"
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        return f"there is no unit {name!r}: no installed package has it, and the definition gives no text for it{hint}"


def _merged(install: Install, others: list[Install]) -> Install:
    for other in others:
        install = Install(
            install.wanted_by + other.wanted_by,
            install.required_by + other.required_by,
            install.upheld_by + other.upheld_by,
            install.aliases + other.aliases,
            install.also + other.also,
            other.default_instance or install.default_instance,
        )
    return install


def _expand(text: str, name: str) -> str:
    """The specifiers of systemd.unit(5) that make sense in [Install]."""
    prefix = name.rpartition(".")[0]
    stem, _, instance = prefix.partition("@")
    values = {"n": name, "N": prefix, "p": stem, "i": instance, "j": stem.rpartition("-")[2], "%": "%"}
    return re.sub(r"%([nNpij%])", lambda found: values[found[1]], text)
