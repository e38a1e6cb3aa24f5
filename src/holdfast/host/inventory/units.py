"""What a machine says about systemd's units beyond what its packages say: written by hand, enabled, disabled, masked, extended."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace

from holdfast.host.files.nodes import File, Folder, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.inventory.files import FileFinder, utf8
from holdfast.host.inventory.packages import Dpkg
from holdfast.host.planning.basics import read_unit_facts
from holdfast.host.units.declared import SYSTEM, wish_units
from holdfast.manifest.inventory import FoundUnit
from holdfast.manifest.model import SCHEMA_VERSION, Distribution, Identity, Manifest, Unit

_HELPER = "/var/lib/systemd/deb-systemd-helper-enabled"
"""Where deb-systemd-helper(1p) notes what packages enabled."""
_BY_SYSTEMD = ("getty@.service", "remote-fs.target", "systemd-pstore.service", "systemd-resolved.service")
"""What the script of Debian's package systemd enables without the helper."""
_MASKED_HELPER = "/var/lib/systemd/deb-systemd-helper-masked"
_PRESETS = ("/etc/systemd/system-preset", "/run/systemd/system-preset", "/usr/local/lib/systemd/system-preset", "/usr/lib/systemd/system-preset")  # fmt: skip
_KINDS = {"wants": "wanted_by", "requires": "required_by", "upholds": "upheld_by"}
_NAME = re.compile(
    r"[A-Za-z0-9:_.\\-]+(@[A-Za-z0-9:_.\\-]*)?\.(service|socket|timer|path|target|mount|automount|slice|swap)"
)
_DROPIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9@:_.-]*\.conf")
_PLAIN = ("0644", 0, 0)
_FIREWALLS = ("nftables", "ufw", "firewalld", "netfilter-persistent", "shorewall")


def read_found_units(root: RootDirectory, dpkg: Dpkg, files: FileFinder) -> dict[str, FoundUnit]:
    """Units by name. Files that cannot be said as units go to ``files``.

    Raises:
        OSError: the root cannot be read.
    """
    work = _Units(root, dpkg, files)
    work.by_hand()
    work.links()
    work.packaged()
    return dict(sorted(work.units.items()))


class _Units:
    def __init__(self, root: RootDirectory, dpkg: Dpkg, files: FileFinder) -> None:
        self._root, self._dpkg, self._files = root, dpkg, files
        self.units: dict[str, FoundUnit] = {}
        names = {name for place in _unit_places(root) for name in root.scan(place) if _NAME.fullmatch(name)}
        wanted = {name: Unit(enable=True) for name in names}
        self._has_helper = isinstance(root.locate(_HELPER).node, Folder)
        self._facts = read_unit_facts(root, _asking(wanted))

    def _change(self, name: str, **changes: object) -> None:
        self.units[name] = replace(self.units.get(name, FoundUnit()), **changes)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]

    def by_hand(self) -> None:
        """Unit files and drop-ins in /etc."""
        for name, node in self._root.scan(SYSTEM).items():
            path = f"{SYSTEM}/{name}"
            if isinstance(node, File) and path not in self._dpkg.owned:
                text = self._text(path, node) if _NAME.fullmatch(name) else None
                if text is None:
                    self._files.tree(path)
                else:
                    self._change(name, text=text)
            elif isinstance(node, Folder) and name.endswith(".d"):
                self._dropins(name.removesuffix(".d"))

    def _dropins(self, unit: str) -> None:
        for name, node in self._root.scan(f"{SYSTEM}/{unit}.d").items():
            path = f"{SYSTEM}/{unit}.d/{name}"
            if path in self._dpkg.owned:
                continue
            good = isinstance(node, File) and _NAME.fullmatch(unit) and _DROPIN.fullmatch(name)
            text = self._text(path, node) if good and isinstance(node, File) else None
            if text is None:
                self._files.tree(path)
            else:
                known = self.units.get(unit, FoundUnit()).dropins
                self._change(unit, dropins={**known, name: text})

    def _text(self, path: str, node: File) -> str | None:
        """What a definition's text would make again, or None."""
        text = utf8(self._root.read(path) or b"")
        plain = (node.mode, node.uid, node.gid) == _PLAIN
        return text if plain and text and text.endswith("\n") and "\r" not in text else None

    def links(self) -> None:
        """Masks, and links to units that were written by hand."""
        for link, target in sorted(self._facts.links.items()):
            directory, name = posixpath.split(link)
            path = posixpath.normpath(posixpath.join(directory, target))
            if path == "/dev/null" and directory == SYSTEM:
                if not isinstance(self._root.locate(f"{_MASKED_HELPER}/{name}").node, File):
                    self._change(name, masked=True)
            elif posixpath.dirname(path) == SYSTEM and self._by_hand(posixpath.basename(path)):
                if directory == SYSTEM:
                    self._alias(name, posixpath.basename(path))
                else:
                    self._wanted(name, directory)

    def _by_hand(self, name: str) -> bool:
        unit = self.units.get(name)
        return unit is not None and unit.text is not None

    def _alias(self, alias: str, name: str) -> None:
        self._change(name, aliases=(*self.units[name].aliases, alias))

    def _wanted(self, name: str, directory: str) -> None:
        by, _, suffix = posixpath.basename(directory).rpartition(".")
        field = _KINDS.get(suffix)
        if field is None or not _NAME.fullmatch(by) or not _NAME.fullmatch(name):
            return
        known: tuple[str, ...] = getattr(self.units.get(name, FoundUnit()), field)
        self._change(name, **{field: (*known, by)})

    def packaged(self) -> None:
        """Packaged units that are not as enabled or disabled as their packages leave them."""
        presets = _read_presets(self._root)
        for name, file in sorted(self._facts.files.items()):
            if file.alias_of is not None or file.install.empty or posixpath.dirname(file.path) == SYSTEM:
                continue
            if self.units.get(name, FoundUnit()).masked:
                continue
            links = [link for link in self._facts.links if self._enables(link, name)]
            preset = next((verb for verb, glob in presets if fnmatch.fnmatchcase(name, glob)), None)
            by_package = preset != "disable" if self._helped(name) else self._by_itself(name, preset)
            if not links and by_package and self._helped(name):
                self._change(name, enable=False)
            elif links and not by_package:
                self._enabled(name, links)

    def _by_itself(self, name: str, preset: str | None) -> bool:
        """Whether a unit is enabled although no package asked the helper for it."""
        return name in _BY_SYSTEMD if self._has_helper else preset == "enable"

    def _enables(self, link: str, name: str) -> bool:
        directory, found = posixpath.split(link)
        target = posixpath.basename(self._facts.links[link])
        if directory == SYSTEM:
            return found != name and target == name
        instance = "@." in name and found.startswith(name.partition("@")[0] + "@") and target == name
        return found == name or instance

    def _helped(self, name: str) -> bool:
        """Whether the unit's package enabled it when it was installed."""
        listed = (self._root.read(f"{_HELPER}/{name}.dsh-also") or b"").decode("utf-8", "replace").split()
        states = [f"{_HELPER}/{link.removeprefix(SYSTEM + '/')}" for link in listed]
        return any(isinstance(self._root.locate(state).node, File) for state in states)

    def _enabled(self, name: str, links: list[str]) -> None:
        """Somebody enabled it; links that `systemctl enable` would not make are taken as links."""
        wishes = wish_units({name: Unit(enable=True)}, self._facts, lambda _path, _text, _reason: None)
        made = {path for path, wish in wishes.wishes.items() if isinstance(wish.node, Symlink)}
        exact = not wishes.problems and all(
            isinstance(wish.node, Symlink) and self._facts.links.get(path) == wish.node.target
            for path, wish in wishes.wishes.items()
        )
        if exact:
            self._change(name, enable=True)
        for link in links:
            if not (exact and link in made):
                self._files.links[link] = self._facts.links[link]


def read_timers(root: RootDirectory) -> tuple[str, ...]:
    """Every timer that starts at boot."""
    places = (SYSTEM, "/usr/lib/systemd/system", "/lib/systemd/system")
    found = {name for place in places for name in root.scan(f"{place}/timers.target.wants")}
    masked = {name for name, node in root.scan(SYSTEM).items() if node == Symlink("/dev/null")}
    return tuple(sorted(name for name in found - masked if name.endswith(".timer")))


def read_firewalls(root: RootDirectory) -> tuple[str, ...]:
    """Firewall services that are enabled."""
    wanted = {
        name
        for directory, node in root.scan(SYSTEM).items()
        if isinstance(node, Folder) and directory.endswith(".wants")
        for name in root.scan(f"{SYSTEM}/{directory}")
    }
    return tuple(name for name in _FIREWALLS if f"{name}.service" in wanted)


def _unit_places(root: RootDirectory) -> list[str]:
    return [place for place in ("/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system") if root.locate(place).names]  # fmt: skip


def _asking(units: Mapping[str, Unit]) -> Manifest:
    """A manifest that makes the reader of unit files look at all of ``units``."""
    return Manifest(SCHEMA_VERSION, "facts", Distribution("", "", ""), Identity("facts"), units=units)


def _read_presets(root: RootDirectory) -> list[tuple[str, str]]:
    """Verb and glob of systemd.preset(5) files, the first match of which decides."""
    files: dict[str, str] = {}
    for place in _PRESETS:
        for name in root.scan(place):
            files.setdefault(name, f"{place}/{name}")
    found: list[tuple[str, str]] = []
    for name in sorted(files):
        for line in (root.read(files[name]) or b"").decode("utf-8", "replace").splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] in ("enable", "disable"):
                found.append((words[0], words[1]))
    return found
