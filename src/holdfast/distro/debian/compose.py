"""One root file system out of many unpacked packages, by hard links: what dpkg's unpacking does, without writing a byte twice.

Every path goes through :class:`Composer`, which knows each name that it made, so nothing is looked up on the disk and no
link is followed but inside the root: a package that ships ``/lib/x`` where ``/lib`` is a link to ``usr/lib`` gets
``/usr/lib/x``, as with dpkg.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path, PurePosixPath
from typing import Literal

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.distro.debian.deb import Unpacked
from holdfast.distro.debian.relations import names_in
from holdfast.store.table import Entry


@dataclass
class _Node:
    kind: Literal["directory", "file", "symlink"]
    owner: int
    """Number of the package that it came from; -1 for what was there first."""
    target: str = ""


@dataclass
class Composer:
    """A tree under construction at ``root``, an empty directory."""

    root: Path
    packages: Sequence[Unpacked]
    epoch: int
    """What is younger than this is copied, since its time will be changed: a linked file is shared with other systems."""
    nodes: dict[str, _Node] = field(default_factory=lambda: {"": _Node("directory", -1)})
    """By real path, relative: links on the way are resolved."""
    listed: list[list[str]] = field(default_factory=list[list[str]])
    """Per package, the paths for its ``.list`` file."""
    directories: dict[str, Entry] = field(default_factory=dict[str, Entry])
    """Real path to the metadata of the directory, of the first package that has it."""

    def link_first(self, links: Mapping[str, str]) -> None:
        """Make symbolic links and what they point at before any package is there."""
        for name, target in links.items():
            self._make_directories(target)
            os.symlink(target, self.root / name)  # noqa: PTH211
            self.nodes[name] = _Node("symlink", -1, target)

    def place_all(self) -> None:
        """Put every package's files in place, in order.

        Raises:
            HoldfastError: two packages have the same file and neither says that it replaces the other's.
        """
        for number, package in enumerate(self.packages):
            self.listed.append([])
            real = {"": ""}
            for entry in package.entries:
                self._place(number, package, entry, real)

    def finish_directories(self) -> None:
        """Give the directories their owners, modes and times, inmost first: linking into them changed the times."""
        for path, entry in sorted(self.directories.items(), reverse=True):
            place = f"{self.root}/{path}"
            if entry.uid or entry.gid:
                os.chown(place, entry.uid, entry.gid)
            os.chmod(place, entry.mode)  # noqa: PTH101 - a path object per directory is dear
            os.utime(place, (entry.mtime, entry.mtime))

    def _place(self, number: int, package: Unpacked, entry: Entry, real: dict[str, str]) -> None:
        listed = self.listed[number]
        if not entry.path:
            self.directories.setdefault("", entry)
            listed.append("/.")
            return
        parent, _, name = entry.path.rpartition("/")
        if parent not in real:
            real[parent] = self._enter(parent, package)
        path = f"{real[parent]}/{name}" if real[parent] else name
        if entry.kind == "directory":
            real[entry.path] = self._place_directory(number, package, entry, path)
        elif not self._place_file(number, package, entry, path):
            return
        listed.append("/" + entry.path)

    def _place_directory(self, number: int, package: Unpacked, entry: Entry, path: str) -> str:
        node = self.nodes.get(path)
        if node is None:
            os.mkdir(f"{self.root}/{path}")  # noqa: PTH102
            self.nodes[path] = _Node("directory", number)
            self.directories[path] = entry
            return path
        if node.kind == "directory":
            self.directories.setdefault(path, entry)
            return path
        if node.kind == "symlink":
            return self._enter(path, package)
        raise self._conflict(number, node, entry.path)

    def _place_file(self, number: int, package: Unpacked, entry: Entry, path: str) -> bool:
        """Whether the file is this package's now."""
        node = self.nodes.get(path)
        if node is not None:
            if node.kind == "directory":
                if entry.kind == "symlink":
                    return True  # dpkg leaves a directory in place of a link to one
                raise self._conflict(number, node, entry.path)
            if not self._takes_over(number, package, node, path, entry):
                return False
            os.unlink(f"{self.root}/{path}")  # noqa: PTH108
        share(f"{package.place}/data/{entry.path}", f"{self.root}/{path}", entry.mtime, self.epoch)
        is_link = entry.kind == "symlink"
        self.nodes[path] = _Node("symlink", number, entry.target) if is_link else _Node("file", number)
        return True

    def _takes_over(self, number: int, package: Unpacked, node: _Node, path: str, entry: Entry) -> bool:
        if node.owner < 0:
            if entry.kind == "symlink":
                return False
            raise self._conflict(number, node, entry.path)
        if node.owner == number:
            return entry.kind != "symlink"
        other = self.packages[node.owner]
        if other.name in names_in(package.control.get("replaces", "")):
            mine = "/" + path
            self.listed[node.owner] = [line for line in self.listed[node.owner] if line != mine]
            return True
        if package.name in names_in(other.control.get("replaces", "")):
            return False
        raise self._conflict(number, node, entry.path)

    def _enter(self, path: str, package: Unpacked) -> str:
        """The real path of the directory that ``path`` leads to inside the root; made where nothing is."""
        pending = [part for part in path.split("/") if part][::-1]
        reached: list[str] = []
        links = 0
        while pending:
            part = pending.pop()
            if part == "..":
                reached = reached[:-1]
                continue
            candidate = "/".join([*reached, part])
            node = self.nodes.get(candidate)
            if node is None:
                self._make_directories(candidate)
            elif node.kind == "symlink":
                links += 1
                if links > 40:
                    raise HoldfastError(
                        f"the package {package.name} has files below /{path}, a link that leads nowhere"
                    )
                if node.target.startswith("/"):
                    reached = []
                pending += [piece for piece in node.target.split("/") if piece not in ("", ".")][::-1]
                continue
            elif node.kind == "file":
                raise HoldfastError(
                    f"the package {package.name} has files below /{candidate}, which is a file of another package"
                )
            reached.append(part)
        return "/".join(reached)

    def _make_directories(self, path: str) -> None:
        for parent in [*reversed(PurePosixPath(path).parents), PurePosixPath(path)]:
            name = "" if str(parent) == "." else str(parent)
            if name not in self.nodes:
                os.mkdir(f"{self.root}/{name}")  # noqa: PTH102
                os.chmod(f"{self.root}/{name}", 0o755)  # noqa: PTH101
                self.nodes[name] = _Node("directory", -1)

    def _conflict(self, number: int, node: _Node, path: str) -> HoldfastError:
        other = self.packages[node.owner].name if node.owner >= 0 else "the file system's own layout"
        return HoldfastError(
            f"the packages {self.packages[number].name} and {other} both have /{path}",
            resolution="Remove one of them from the definition.",
        )


def share(source: str, target: str, mtime: float, epoch: int) -> None:
    """:func:`link` what is at most as young as ``epoch``, and :func:`copy` the rest: its time will be clamped down."""
    if mtime <= epoch:
        link(source, target)
    else:
        copy(source, target)


def link(source: str, target: str) -> None:
    """Hard-link ``source`` (a link itself, if it is one) to ``target``; copy it when it has as many links as it can."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EMLINK, errno.EXDEV):
            raise
        copy(source, target)


def copy(source: str, target: str) -> None:
    """Copy a file or a symbolic link with its mode, owner, times and extended attributes."""
    status = os.lstat(source)
    shutil.copyfile(source, target, follow_symlinks=False)
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    if not os.path.islink(target):  # noqa: PTH114
        os.chmod(target, status.st_mode & 0o7777)  # noqa: PTH101 - after chown(2), which clears setuid
        for name in os.listxattr(source):
            os.setxattr(target, name, os.getxattr(source, name))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
