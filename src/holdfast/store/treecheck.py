"""Whether an unpacked tree still is what its layer's table says, and making it so where only trifles differ."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from holdfast.store.overlay import OPAQUE_TRUSTED, OPAQUE_USER, OVERLAY_XATTRS
from holdfast.store.table import Entry
from holdfast.store.tar import keeps_xattr

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHUNK = 1 << 20
_NANO = 1_000_000_000

_FORMAT = {
    "file": stat.S_IFREG,
    "hardlink": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "char": stat.S_IFCHR,
    "block": stat.S_IFBLK,
    "fifo": stat.S_IFIFO,
    "whiteout": stat.S_IFCHR,
}

Found = tuple[int, str, str, os.stat_result]
"""A node of a tree: descriptor of its directory, name in it, path, status. The root is ``.`` with an empty path."""


def walk(root: Path) -> Iterator[Found]:
    """Every node of a tree, the root first. The descriptors are valid until the next step."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor, ".", "", os.fstat(descriptor)
        yield from _walk(descriptor, "")
    finally:
        os.close(descriptor)


def _walk(descriptor: int, prefix: str) -> Iterator[Found]:
    with os.scandir(descriptor) as found:
        children = sorted(found, key=lambda child: child.name)
    for child in children:
        try:
            status = child.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield descriptor, child.name, prefix + child.name, status
        if not stat.S_ISDIR(status.st_mode):
            continue
        try:
            below = os.open(child.name, _OPEN_DIRECTORY, dir_fd=descriptor)
        except FileNotFoundError:  # conform() took it away
            continue
        try:
            yield from _walk(below, f"{prefix}{child.name}/")
        finally:
            os.close(below)


def differences(
    root: Path, expected: Sequence[Entry], *, contents: bool, progress: Callable[[int], None]
) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) for every node that is not as ``expected`` (overlay form); with ``contents``, files are hashed.

    ``progress`` is told the bytes that were hashed.

    Raises:
        OSError: the tree cannot be read.
    """
    missing: dict[str, Entry] = {entry.path: entry for entry in expected}
    inodes: dict[str, int] = {}
    links: list[Entry] = []
    for parent, name, path, status in walk(root):
        entry = missing.pop(path, None)
        if entry is None:
            yield path, "is not in the layer"
            continue
        problem = _metadata(entry, status)
        if not problem and entry.kind in ("file", "directory", "symlink"):
            problem = _inside(entry, parent, name, contents, progress)
        if problem:
            yield path, problem
        inodes[path] = status.st_ino
        if entry.kind == "hardlink":
            links.append(entry)
    for link in links:
        if inodes.get(link.target) != inodes[link.path]:
            yield link.path, f"is not the same file as {link.target}"
    for path in missing:
        yield path, "is missing"


def _metadata(entry: Entry, status: os.stat_result) -> str:
    mode = status.st_mode
    if stat.S_IFMT(mode) != _FORMAT[entry.kind]:
        return f"should be a {entry.kind}"
    device = (0, 0) if entry.kind == "whiteout" else entry.device
    if (
        entry.kind in ("char", "block", "whiteout")
        and (os.major(status.st_rdev), os.minor(status.st_rdev)) != device
    ):
        return "has another device number"
    if entry.kind in ("whiteout", "hardlink"):
        return ""
    if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
        return f"belongs to {status.st_uid}:{status.st_gid}, not {entry.uid}:{entry.gid}"
    if entry.kind != "symlink" and mode & 0o7777 != entry.mode:
        return f"has mode {mode & 0o7777:04o}, not {entry.mode:04o}"
    if status.st_mtime_ns != entry.mtime * _NANO:
        return "has another modification time"
    if entry.kind == "file" and status.st_size != entry.size:
        return f"has {status.st_size} bytes, not {entry.size}"
    return ""


def _inside(entry: Entry, parent: int, name: str, contents: bool, progress: Callable[[int], None]) -> str:
    if entry.kind == "symlink":
        return "" if os.readlink(name, dir_fd=parent) == entry.target else "points elsewhere"
    flags = _OPEN_FILE if entry.kind == "file" else _OPEN_DIRECTORY
    descriptor = os.open(name, flags, dir_fd=parent)
    try:
        names = sorted(filter(_counts, os.listxattr(descriptor)))
        xattrs = tuple((each, os.getxattr(descriptor, each).hex()) for each in names) if names else ()
        if _same_opaque(xattrs) != _same_opaque(entry.xattrs):
            return "has other extended attributes"
        if contents and entry.kind == "file":
            state = hashlib.sha256()
            while chunk := os.read(descriptor, _CHUNK):
                state.update(chunk)
            progress(entry.size)
            if state.hexdigest() != entry.sha256:
                return "has another content"
    finally:
        os.close(descriptor)
    return ""


def _same_opaque(xattrs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Which of the two marks an opaque directory has depends on the rights of who made it."""
    if any(name == OPAQUE_USER for name, _ in xattrs):
        return tuple(
            sorted((OPAQUE_TRUSTED if name == OPAQUE_USER else name, value) for name, value in xattrs)
        )
    return xattrs


def _counts(name: str) -> bool:
    return keeps_xattr(name) or name.startswith(OVERLAY_XATTRS)


def conform(root: Path, expected: Sequence[Entry], remove: Callable[[Path], None]) -> None:
    """Give a tree that was just packed the trifles of its layer: clamped times, no sockets, no excluded paths, no overlay notes.

    ``remove`` takes away a directory with all below it.

    Raises:
        OSError: the tree cannot be changed.
    """
    wanted = {entry.path: entry for entry in expected}
    for parent, name, path, status in walk(root):
        entry = wanted.get(path)
        if entry is None:
            if stat.S_ISDIR(status.st_mode):
                remove(root / path)
            else:
                os.unlink(name, dir_fd=parent)
        elif entry.kind in ("file", "directory"):
            descriptor = os.open(name, _OPEN_FILE, dir_fd=parent)
            try:
                _conform_xattrs(descriptor, entry)
                if entry.kind == "file":
                    _conform_time(descriptor, entry, status)
            finally:
                os.close(descriptor)
        elif entry.kind not in ("hardlink", "whiteout") and status.st_mtime_ns != entry.mtime * _NANO:
            os.utime(
                name, ns=(entry.mtime * _NANO, entry.mtime * _NANO), dir_fd=parent, follow_symlinks=False
            )
    for entry in expected:  # last: a directory's time changes when something in it is removed
        if entry.kind == "directory":
            descriptor = os.open(root / entry.path, _OPEN_DIRECTORY)
            try:
                _conform_time(descriptor, entry, os.fstat(descriptor))
            finally:
                os.close(descriptor)


def _conform_xattrs(descriptor: int, entry: Entry) -> None:
    names = os.listxattr(descriptor)
    if not names and not entry.xattrs:
        return
    wanted = {name: bytes.fromhex(value) for name, value in entry.xattrs if name.startswith(OVERLAY_XATTRS)}
    for name in names:
        if name.startswith(OVERLAY_XATTRS) and name not in wanted:
            os.removexattr(descriptor, name)
    for name, value in wanted.items():
        os.setxattr(descriptor, name, value)


def _conform_time(descriptor: int, entry: Entry, status: os.stat_result) -> None:
    if status.st_mtime_ns != entry.mtime * _NANO:
        os.utime(descriptor, ns=(entry.mtime * _NANO, entry.mtime * _NANO))
