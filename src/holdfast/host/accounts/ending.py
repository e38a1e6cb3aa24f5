"""What a change ends or takes away by itself. It belongs to nobody afterwards, so it does not keep an account from going."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from holdfast.base.codec import DecodeError
from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Folder
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.files.tmpfiles import dropped, is_untouched
from holdfast.host.state import State, generation_path
from holdfast.host.units.declared import SYSTEM, logical_lines, template_of
from holdfast.manifest.document import read_manifest
from holdfast.manifest.model import Manifest

LINGER = "/var/lib/systemd/linger"


@dataclass(frozen=True)
class Ending:
    paths: frozenset[str] = frozenset()
    """Results of dropped tmpfiles.d(5) rules that nobody has put anything of their own into."""
    trees: frozenset[str] = frozenset()
    """Directories that systemd takes away with what is in them when those units stop."""
    units: frozenset[str] = frozenset()
    """Services that stop, and managers of users who linger no more."""

    def has_process(self, control_groups: str) -> bool:
        """Whether a process with these lines of /proc/PID/cgroup belongs to one of the units, see cgroups(7)."""
        for line in control_groups.split(
            "\n"
        ):  # users can give their groups names that have other line ends in them
            _, controllers, path = (*line.split(":", 2), "", "")[:3]
            if controllers not in ("", "name=systemd"):
                continue
            parts = path.split("/")
            mine = [part for part in parts if part.startswith("user@")] if "user.slice" in parts else parts
            if any(part in self.units or template_of(part) in self.units for part in mine):
                return True
        return False


def read_ending(root: RootDirectory, manifest: Manifest, state: State) -> Ending:
    """What ends when ``manifest`` follows on ``state``.

    Raises:
        OSError: the root cannot be read.
        HoldfastError: the manifest of the current generation is of a newer version.
    """
    data = root.read(f"{generation_path(state.generation)}/manifest.json")
    old: Manifest | None = None
    if data is not None:
        with suppress(DecodeError):  # then nothing is known to end
            old = read_manifest(data, what="the current generation")
    units: set[str] = set()
    trees: set[str] = set()
    for name, unit in old.units.items() if old else ():
        ours = unit.text is not None and f"{SYSTEM}/{name}" in state.paths
        if ours and unit.stop_on_removal and name not in manifest.units:
            units.add(name)
            trees |= _runtime_directories(unit.text or "")
    for name, record in state.users.items():
        user = manifest.users.get(name)
        if f"{LINGER}/{name}" in state.paths and not (user is not None and user.linger):
            units.add(f"user@{record.uid}.service")
            trees.add(f"/run/user/{record.uid}")
    paths = _untouched(root, dropped(state.tmpfiles, manifest.tmpfiles), state)
    return Ending(paths, frozenset(trees), frozenset(units))


def _runtime_directories(text: str) -> set[str]:
    """Those of a service, see systemd.exec(5); none where it keeps them."""
    found: set[str] = set()
    for line in logical_lines(text):
        key, _, value = line.partition("=")
        if key.strip() == "RuntimeDirectory":
            found |= {f"/run/{word.partition(':')[0]}" for word in value.split()}
        if key.strip() == "RuntimeDirectoryPreserve":
            return set()
    return found


def _untouched(root: RootDirectory, paths: Collection[str], state: State) -> frozenset[str]:
    """Those of ``paths`` that will really go: a directory only with all that is in it."""
    going: set[str] = set()
    for path in sorted(paths, reverse=True):  # what is in a directory before the directory
        located = root.locate(path)
        inside = {f"{path}/{name}" for name in located.names}
        whole = not isinstance(located.node, Folder) or inside <= going
        if located.real == path and whole and is_untouched(state.tmpfiles[path], located.node):
            going.add(path)
    return frozenset(going)
