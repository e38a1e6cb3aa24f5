"""A layer becomes a directory tree, in overlayfs form. Nothing is ever written outside it nor through a link.

What is to be made was judged beforehand (:mod:`holdfast.store.admission`). Still every step goes down by descriptors opened with
O_NOFOLLOW, and every file is made with O_EXCL, so that a mistake there would be a failure here and not an escape.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import Stage
from holdfast.store.table import Entry

_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAKE_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unpack(entries: Sequence[Entry], tar: int, destination: Path, stage: Stage) -> None:
    """Make the tree of ``entries`` (from :func:`holdfast.store.overlay.overlay_form`) in the empty directory ``destination``.

    ``tar`` is a descriptor of the layer's tar, from which files' contents are copied.

    Raises:
        HoldfastError: the tree cannot be written here, or needs root.
    """
    with explain_os_errors(f"unpack into {destination}"), _Directories(destination) as directories:
        unpacking = _Unpacking(directories, tar, stage)
        for entry in entries:
            if entry.kind == "directory" and entry.path:
                parent, name = directories.parent(entry.path)
                os.mkdir(name, 0o700, dir_fd=parent)
        for entry in entries:
            if entry.kind not in ("directory", "hardlink"):
                unpacking.make(entry)
        for entry in entries:
            if entry.kind == "hardlink":
                unpacking.link(entry)
        # From the bottom up: making things in a directory needs its write permission and changes its mtime.
        for entry in reversed(entries):
            if entry.kind == "directory":
                unpacking.finish_directory(entry)


class _Directories:
    """Descriptors of the directories from the root to the one in use, so that neighbours cost no path lookup."""

    def __init__(self, root: Path) -> None:
        self._names: list[str] = []
        self._descriptors = [os.open(root, _OPEN_DIRECTORY)]

    def __enter__(self) -> _Directories:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    def open(self, path: str) -> int:
        """The descriptor of a directory; valid until the next call."""
        wanted = path.split("/") if path else []
        common = 0
        for ours, theirs in zip(self._names, wanted, strict=False):
            if ours != theirs:
                break
            common += 1
        while len(self._names) > common:
            self._names.pop()
            os.close(self._descriptors.pop())
        for name in wanted[common:]:
            self._descriptors.append(os.open(name, _OPEN_DIRECTORY, dir_fd=self._descriptors[-1]))
            self._names.append(name)
        return self._descriptors[-1]

    def parent(self, path: str) -> tuple[int, str]:
        directory, _, name = path.rpartition("/")
        return self.open(directory), name


class _Unpacking:
    def __init__(self, directories: _Directories, tar: int, stage: Stage) -> None:
        self._directories = directories
        self._tar = tar
        self._stage = stage
        self._ids = (os.geteuid(), os.getegid())

    def make(self, entry: Entry) -> None:
        parent, name = self._directories.parent(entry.path)
        if entry.kind == "file":
            descriptor = os.open(name, _MAKE_FILE, 0o600, dir_fd=parent)
            try:
                self._copy(descriptor, entry)
                self._finish(descriptor, entry)
            finally:
                os.close(descriptor)
            return
        if entry.kind == "whiteout":
            # Everybody may make this one since Linux 5.8.
            os.mknod(name, stat.S_IFCHR, os.makedev(0, 0), dir_fd=parent)
            return
        if entry.kind == "symlink":
            os.symlink(entry.target, name, dir_fd=parent)
        else:
            self._make_node(entry, parent, name)
        if (entry.uid, entry.gid) != self._ids:
            with _explained(entry):
                os.chown(name, entry.uid, entry.gid, dir_fd=parent, follow_symlinks=False)
        if entry.kind != "symlink":
            os.chmod(name, entry.mode, dir_fd=parent)
        os.utime(name, ns=_times(entry), dir_fd=parent, follow_symlinks=False)

    def link(self, entry: Entry) -> None:
        directory, _, first = entry.target.rpartition("/")
        source = os.dup(self._directories.open(directory))
        try:
            parent, name = self._directories.parent(entry.path)
            os.link(first, name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def finish_directory(self, entry: Entry) -> None:
        self._finish(self._directories.open(entry.path), entry)

    def _make_node(self, entry: Entry, parent: int, name: str) -> None:
        if entry.kind == "fifo":
            os.mkfifo(name, 0o600, dir_fd=parent)
            return
        kind = stat.S_IFCHR if entry.kind == "char" else stat.S_IFBLK
        with _explained(entry):
            os.mknod(name, kind | 0o600, os.makedev(*entry.device), dir_fd=parent)

    def _copy(self, descriptor: int, entry: Entry) -> None:
        offset, left = entry.offset, entry.size
        while left:
            count = os.sendfile(descriptor, self._tar, offset, left)
            if count == 0:
                raise HoldfastError(
                    f"the layer ends inside of {entry.path!r}", resolution="Run `holdfast store verify`."
                )
            offset += count
            left -= count
        self._stage.advance(entry.size)

    def _finish(self, descriptor: int, entry: Entry) -> None:
        """Owner, mode, attributes and time, in the order in which none undoes another: see chown(2)."""
        with _explained(entry):
            if (entry.uid, entry.gid) != self._ids:
                os.fchown(descriptor, entry.uid, entry.gid)
            os.fchmod(descriptor, entry.mode)
            for name, value in entry.xattrs:
                os.setxattr(descriptor, name, bytes.fromhex(value))
            os.utime(descriptor, ns=_times(entry))


def _times(entry: Entry) -> tuple[int, int]:
    nanoseconds = entry.mtime * 1_000_000_000
    return nanoseconds, nanoseconds


@contextmanager
def _explained(entry: Entry) -> Generator[None]:
    try:
        yield
    except PermissionError as error:
        raise HoldfastError(
            f"cannot unpack {entry.path!r} (owner {entry.uid}:{entry.gid}): {error.strerror}",
            resolution="Files of other owners, device nodes and capabilities need root: run the command with sudo.",
        ) from error
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        raise HoldfastError(
            f"cannot unpack {entry.path!r}: the file system of the store has no extended attributes",
            resolution="Set HOLDFAST_STORE to a directory on ext4, xfs or btrfs.",
        ) from error
