"""Looking for what belongs to accounts that are about to go: processes, crontabs, files on local file systems."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.base.errors import HoldfastError
from holdfast.host.accounts.ending import Ending
from holdfast.host.accounts.retiring import Owned
from holdfast.host.accounts.tables import Accounts
from holdfast.host.files.nodes import File, Folder, Node, Symlink
from holdfast.host.files.rooted import RootDirectory

SECONDS = 20
"""Longest time that looking may take; what is not seen by then counts as owned."""
NOTHING_ENDS = Ending()
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCAL = frozenset(
    ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "jfs", "reiserfs", "zfs", "bcachefs", "overlay", "tmpfs", "vfat", "exfat", "ntfs3", "erofs"]
)  # fmt: skip
_DEPTH = 200
_NOWHERE = ("proc", "sys", "dev")
_OF_SUDO = frozenset({"/run/sudo", "/var/lib/sudo"})
"""When people last gave their password: nothing that anybody would miss, see sudoers_timestamp(5)."""


def read_owned(
    root: RootDirectory,
    accounts: Accounts,
    uids: frozenset[int],
    gids: frozenset[int],
    *,
    managed: Mapping[str, Node],
    skeleton: Mapping[str, Node],
    ending: Ending = NOTHING_ENDS,
    homes: frozenset[int] = frozenset(),
    seconds: float = SECONDS,
) -> Owned:
    """Look until something was found for each of ``uids`` and ``gids``, or everywhere.

    ``managed`` are paths of ours, by what they are: they go by themselves. A home that holds nothing but ``skeleton`` and them is not counted,
    but listed; so are those of ``homes``, for which nothing else is looked for. What is ``ending`` is not counted either. Homes are looked at first: as a rule, that ends the search.

    Raises:
        OSError: the root cannot be read.
    """
    work = _Looking(root, uids, gids, managed, ending, time.monotonic() + seconds)
    for record in accounts.passwd.records():
        if record[2].isdigit() and int(record[2]) in uids | homes:
            work.home(record[5], int(record[2]), skeleton)
    work.running()
    work.everywhere()
    return work.owned()


class _Looking:
    def __init__(
        self,
        root: RootDirectory,
        uids: frozenset[int],
        gids: frozenset[int],
        managed: Mapping[str, Node],
        ending: Ending,
        deadline: float,
    ) -> None:
        self._root, self._managed, self._ending, self._deadline = root, managed, ending, deadline
        self._wanted_uids, self._wanted_gids = uids, gids
        self._uids: dict[int, str] = {}
        self._gids: set[int] = set()
        self._processes: dict[int, tuple[str, ...]] = {}
        self._homes: dict[int, dict[str, Node]] = {}
        # logind takes it away by itself some seconds after the last session; until then, processes tell whether anybody is there.
        self._elsewhere = {*_OF_SUDO, *ending.trees, *(f"/run/user/{uid}" for uid in uids)}
        self._ignored: set[str] = {*managed, *ending.paths, *self._elsewhere}
        self._foreign: frozenset[int] = frozenset()
        self._incomplete = ""

    def owned(self) -> Owned:
        return Owned(
            self._uids,
            frozenset(self._gids),
            self._processes,
            self._homes,
            self._incomplete,
            self._wanted_uids,
            self._wanted_gids,
        )

    def home(self, path: str, uid: int, skeleton: Mapping[str, Node]) -> None:
        """Note a home that is as we made it; anything else in it is found like any other file."""
        located = self._root.locate(path)
        if not isinstance(located.node, Folder) or located.node.uid != uid or located.real in ("/", ""):
            return
        nodes: dict[str, Node] = {located.real: located.node}
        if self._untouched(located.real, "", nodes, skeleton):
            self._homes[uid] = nodes
            self._ignored |= nodes.keys()

    def _untouched(self, home: str, below: str, nodes: dict[str, Node], skeleton: Mapping[str, Node]) -> bool:
        for name, node in self._root.scan(f"{home}/{below}".rstrip("/")).items():
            relative = f"{below}{name}"
            path = f"{home}/{relative}"
            managed = self._managed.get(path)
            if isinstance(node, File):
                # Only what may be ours is read: files in a home can be as large as their owner likes.
                if managed is None and self._size(path) != self._size(f"/etc/skel/{relative}"):
                    return False
                node = self._root.locate(path).node
            if managed is not None:
                if managed != node:
                    return False
            elif _same(node, skeleton.get(relative)):
                nodes[path] = node
            else:
                return False
            if isinstance(node, Folder) and not self._untouched(home, f"{relative}/", nodes, skeleton):
                return False
        return True

    def _size(self, path: str) -> int:
        with suppress(FileNotFoundError, HoldfastError), self._root.parent(path) as (directory, name):
            return os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
        return -1

    def running(self) -> None:
        """Processes, of the machine that this runs on, if that is the root's."""
        if not is_this_machine(self._root):
            return
        for process in Path("/proc").iterdir():
            if not process.name.isdigit():
                continue
            with suppress(OSError):
                uid = process.stat().st_uid
                if uid in self._wanted_uids and not self._ending.has_process(_text(process / "cgroup")):
                    command = _text(process / "comm").strip()
                    self._uids.setdefault(uid, f"a process, {command},")
                    known = self._processes.get(uid, ())
                    self._processes[uid] = tuple(sorted({*known, command}))

    def everywhere(self) -> None:
        """Every directory below the root, but for other machines' file systems and the kernel's."""
        if self._done():
            return
        self._foreign = foreign_devices()
        with self._root.parent("/.") as (descriptor, _):
            self._directory(descriptor, "", 0)

    def _done(self) -> bool:
        return self._wanted_uids <= self._uids.keys() and self._wanted_gids <= self._gids

    def _directory(self, descriptor: int, path: str, depth: int) -> None:
        """Look through one open directory."""
        if depth > _DEPTH or time.monotonic() > self._deadline:
            where = f"more than {_DEPTH} directories deep" if depth > _DEPTH else "in the time that there is"
            self._incomplete = f"not everything could be looked at {where}"
        inner: list[str] = []
        with os.scandir(descriptor) as entries:
            for entry in entries:
                with suppress(OSError):  # gone meanwhile
                    status = entry.stat(follow_symlinks=False)
                    self._note(f"{path}/{entry.name}", status)
                    if stat.S_ISDIR(status.st_mode) and status.st_dev not in self._foreign:
                        inner.append(entry.name)
        for name in inner:
            if self._done() or self._incomplete:
                return
            where = f"{path}/{name}"
            if (path == "" and name in _NOWHERE) or where in self._elsewhere:
                continue
            with suppress(OSError):
                below = os.open(name, _DIRECTORY, dir_fd=descriptor)
                try:
                    self._directory(below, where, depth + 1)
                finally:
                    os.close(below)

    def _note(self, path: str, status: os.stat_result) -> None:
        if (
            status.st_uid in self._wanted_uids or status.st_gid in self._wanted_gids
        ) and path not in self._ignored:
            if status.st_uid in self._wanted_uids:
                self._uids.setdefault(status.st_uid, path)
            self._gids |= {status.st_gid} & self._wanted_gids


def _text(path: Path) -> str:
    return path.read_bytes().decode(
        "utf-8", "replace"
    )  # as it is: reading text would make line ends of names


def is_this_machine(root: RootDirectory) -> bool:
    """Whether ``root`` is the root directory of the machine that this runs on."""
    with root.parent("/.") as (descriptor, _):
        ours, here = os.fstat(descriptor), Path("/").stat()
    return (ours.st_dev, ours.st_ino) == (here.st_dev, here.st_ino)


def _same(node: Node, other: Node | None) -> bool:
    """Whether a skeleton's node was copied and left alone: its owner is another."""
    if isinstance(node, File) and isinstance(other, File):
        return node.digest == other.digest
    if isinstance(node, Symlink):
        return node == other
    return isinstance(node, Folder) and isinstance(other, Folder)


def foreign_devices(mountinfo: Path = Path("/proc/self/mountinfo")) -> frozenset[int]:
    """Devices of mounted file systems that are not local ones, see proc_pid_mountinfo(5)."""
    found: set[int] = set()
    for line in mountinfo.read_bytes().split(b"\n")[
        :-1
    ]:  # of bytes: users can mount things at names with other line ends
        mount, _, source = line.partition(b" - ")
        major, _, minor = mount.split(b" ")[2].partition(b":")
        if source.split(b" ")[0].decode("ascii", "replace") not in _LOCAL:
            found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)
