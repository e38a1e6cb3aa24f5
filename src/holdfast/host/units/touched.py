"""From files below a directory for units to the units that they make up (pure). See systemd.unit(5), "Unit File Load Path"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Absent, Node, Symlink
from holdfast.host.units.settings import Settings, differences, read_settings, started_service
from holdfast.host.units.states import UnitState

SYSTEM_PLACES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")
USER_PLACES = ("/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user")
"""Where declared files are units."""
_UNIT_DIRECTORY = re.compile(r"/systemd/(system|user)$")
_PULLS = (".wants", ".requires", ".upholds")


@dataclass(frozen=True)
class UnitFileChange:
    """A path below a directory for units that changes, with its text where it is a file."""

    path: str
    before: Node
    after: Node
    before_text: str = ""
    after_text: str = ""
    shadowed: str | None = None
    """Text of the file of the same name that counts where this one is not there, as a package has it; None: there is none."""

    @property
    def text_before(self) -> str:
        return (self.shadowed or "") if isinstance(self.before, Absent) else self.before_text

    @property
    def text_after(self) -> str:
        return (self.shadowed or "") if isinstance(self.after, Absent) else self.after_text

    @property
    def is_alias(self) -> bool:
        """A link that gives another unit a further name: it is, or was there alone.

        What leads out of the directories for units is no alias, but the unit's own file ("linked", see systemctl(1)).
        """
        name = self.path.rpartition("/")[2]
        nodes = [node for node in (self.after, self.before) if isinstance(node, Symlink)]
        if not nodes or is_mask(nodes[0]):
            return False
        directory, _, target = nodes[0].target.rpartition("/")
        return target != name and (not directory.startswith("/") or bool(_UNIT_DIRECTORY.search(directory)))


def is_mask(node: Node) -> bool:
    return isinstance(node, Symlink) and node.target == "/dev/null"


@dataclass
class Touched:
    """What happens to the files of one unit."""

    fragment: UnitFileChange | None = None
    dropins: list[UnitFileChange] = field(default_factory=lambda: [])
    wanted_by: list[str] = field(default_factory=lambda: [])
    """Units that want it from now on, by a link."""
    unwanted_by: list[str] = field(default_factory=lambda: [])
    """Units that did until now."""

    @property
    def _files(self) -> list[UnitFileChange]:
        """Without aliases, which say nothing of the unit."""
        files = [*([self.fragment] if self.fragment else []), *self.dropins]
        return [one for one in files if not one.is_alias]

    @property
    def before(self) -> Settings:
        """What the files that change say, as far as they are read; other files of the unit say more."""
        return read_settings("\n".join(one.text_before for one in self._files))

    @property
    def after(self) -> Settings:
        return read_settings("\n".join(one.text_after for one in self._files))

    @property
    def differences(self) -> list[str]:
        """Names of the settings that a running unit would have to learn of."""
        names: dict[str, None] = {}
        for one in self._files:
            found = differences(read_settings(one.text_before), read_settings(one.text_after))
            names.update(dict.fromkeys(found))
        return list(names)


def read_touched(
    changes: Iterable[UnitFileChange], aliases: Mapping[str, str]
) -> tuple[Mapping[str, Touched], Mapping[str, Sequence[str]]]:
    """What happens to which unit; and the files that are drop-ins for many, by their directory's name."""
    touched: dict[str, Touched] = {}
    grouped: dict[str, list[str]] = {}
    for change in changes:
        directory, name = inside(change.path)
        if not directory:
            touched.setdefault(name, Touched()).fragment = change
        elif directory.endswith(".d"):
            unit = directory.removesuffix(".d")
            if "." not in unit or unit.rpartition(".")[0].endswith("-"):
                grouped.setdefault(directory, []).append(change.path)
            else:
                touched.setdefault(aliases.get(unit, unit), Touched()).dropins.append(change)
        elif directory.endswith(_PULLS):
            one = touched.setdefault(aliases.get(name, name), Touched())
            wanting = directory.rpartition(".")[0]
            if isinstance(change.after, Symlink):
                one.wanted_by.append(wanting)
            elif isinstance(change.after, Absent):
                one.unwanted_by.append(wanting)
    return touched, grouped


def inside(path: str) -> tuple[str, str]:
    """Directory below the place for units, or nothing, and file name."""
    for place in (*SYSTEM_PLACES, *USER_PLACES):
        if path.startswith(f"{place}/"):
            directory, _, name = path.removeprefix(f"{place}/").rpartition("/")
            return directory, name
    return "", path.rpartition("/")[2]


def names_in(changes: Iterable[UnitFileChange]) -> set[str]:
    """Every unit that the changes name, and that the manager may know by another name."""
    touched, _ = read_touched(changes, {})
    wanting = {name for one in touched.values() for name in (*one.wanted_by, *one.unwanted_by)}
    return {name for name in {*touched, *wanting} if "@." not in name}


def to_ask(
    changes: Sequence[UnitFileChange], states: Mapping[str, UnitState], aliases: Mapping[str, str]
) -> set[str]:
    """Units of which the plan needs to know what has them run. Most changes need to know nothing."""
    asked: set[str] = set()
    touched, _ = read_touched(changes, aliases)
    for name, one in touched.items():
        kind = name.rpartition(".")[2]
        masked = one.fragment is not None and is_mask(one.fragment.before)
        loaded = name in states
        if masked or (loaded and (kind in ("socket", "automount") or one.unwanted_by)):
            asked.add(name)
        if kind == "socket" and not loaded:
            service = started_service(name, one.after)
            if service is not None and service in states:
                asked.add(service)
    return asked
