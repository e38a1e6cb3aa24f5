"""A directory tree becomes a layer: a deterministic tar, written once while both its digest and its files' are taken.

What a layer keeps: names, contents, permission bits, numeric owners, symbolic and hard links, device nodes, fifos, the extended
attributes of :func:`holdfast.store.tar.keeps_xattr`, and mtimes in whole seconds, clamped down to a bound and never raised. What
it does not: sockets, atimes, user names, holes in files, the order in which things were made.
"""

from __future__ import annotations

import hashlib
import os
import queue
import stat
import threading
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import Stage, message
from holdfast.store.admission import DEPTH, OPAQUE, WHITEOUT
from holdfast.store.blobs import BlobWriter
from holdfast.store.overlay import OVERLAY_XATTRS, upper_mark
from holdfast.store.table import Entry, Kind
from holdfast.store.tar import END, keeps_xattr, padding, write_header

_BUFFER_BYTES = 1 << 20
_BUFFERS = 4
_OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class TarStream:
    """Collects a tar in buffers that a second thread hashes and writes: hashing leaves the interpreter lock free."""

    def __init__(self, writer: BlobWriter, stage: Stage) -> None:
        self._writer = writer
        self._stage = stage
        self._free: queue.Queue[bytearray] = queue.Queue()
        self._full: queue.Queue[tuple[bytearray, int] | None] = queue.Queue()
        for _ in range(_BUFFERS):
            self._free.put(bytearray(_BUFFER_BYTES))
        self._failure: BaseException | None = None
        self._buffer = self._free.get()
        self._fill = 0
        self.offset = 0
        """Bytes of the tar so far."""
        self._thread = threading.Thread(target=self._drain, name="tar writer", daemon=True)

    @contextmanager
    def running(self) -> Generator[TarStream]:
        """Start the thread, and end it after the body, when all is written.

        Raises:
            HoldfastError: the store cannot be written.
        """
        self._thread.start()
        try:
            yield self
            self._hand_over()
        finally:
            self._full.put(None)
            self._thread.join()
        self._check()

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            part = view[: len(self._buffer) - self._fill]
            self._buffer[self._fill : self._fill + len(part)] = part
            self._filled(len(part))
            view = view[len(part) :]

    def copy(self, descriptor: int, size: int) -> str | None:
        """Append exactly ``size`` bytes from ``descriptor``; returns their SHA-256 in hexadecimal.

        None: the file has another size by now, and the tar is spoilt.
        """
        state = hashlib.sha256()
        left = size
        while left:
            view = memoryview(self._buffer)[self._fill : self._fill + left]
            count = os.readv(descriptor, [view])
            if count == 0:
                break
            state.update(view[:count])
            self._filled(count)
            left -= count
        if left or os.read(descriptor, 1):
            return None
        return state.hexdigest()

    def _filled(self, count: int) -> None:
        self._fill += count
        self.offset += count
        if self._fill == len(self._buffer):
            self._hand_over()
            self._buffer = self._free.get()
            self._fill = 0

    def _hand_over(self) -> None:
        self._check()
        self._full.put((self._buffer, self._fill))

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _drain(self) -> None:
        while (item := self._full.get()) is not None:
            buffer, fill = item
            try:
                if self._failure is None:
                    self._writer.write(memoryview(buffer)[:fill])
                    self._stage.advance(fill)
            except BaseException as error:  # the packing thread must not wait for buffers for ever
                self._failure = error
            self._free.put(buffer)


class Packer:
    """Walks one tree into one tar."""

    def __init__(
        self, root: Path, stream: TarStream, *, clamp_mtime: int, exclude: Collection[str], upper: bool
    ) -> None:
        self._root = root
        self._stream = stream
        self._clamp = clamp_mtime
        self._excluded = frozenset(path.strip("/") for path in exclude if not path.endswith("/*"))
        self._emptied = frozenset(path[:-2].strip("/") for path in exclude if path.endswith("/*"))
        self._upper = upper
        self._links: dict[tuple[int, int], str] = {}
        self.entries: list[Entry] = []

    def pack(self) -> None:
        """Write the whole tar.

        Raises:
            HoldfastError: something cannot be read, or cannot be in a layer; says what.
        """
        with explain_os_errors(f"read the tree {self._root}"):
            descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._directory(descriptor, "", os.fstat(descriptor))
        self._stream.write(END)

    def _directory(self, descriptor: int, path: str, status: os.stat_result) -> None:
        """Write a directory and all that is in it; closes the descriptor."""
        try:
            if path.count("/") >= DEPTH - 1:
                raise HoldfastError(f"{path!r} cannot be in a layer: it is {DEPTH} directories deep")
            xattrs, opaque = self._xattrs(descriptor, path)
            self._add(self._entry(path, "directory", status)._replace(xattrs=xattrs))
            prefix = f"{path}/" if path else ""
            if opaque:
                self._whiteout(prefix + OPAQUE)
            if path in self._emptied:
                return
            with os.scandir(descriptor) as found:
                children = sorted(found, key=lambda child: os.fsencode(child.name))
            for child in children:
                if prefix + child.name not in self._excluded:
                    self._child(descriptor, child, prefix + child.name)
        finally:
            os.close(descriptor)

    def _child(self, parent: int, child: os.DirEntry[str], path: str) -> None:
        if child.name.startswith(WHITEOUT):
            raise HoldfastError(f"{path!r} cannot be in a layer: its name is that of a whiteout")
        try:
            status = child.stat(follow_symlinks=False)
            mode = status.st_mode
            if stat.S_ISREG(mode):
                self._file(parent, child.name, path, status)
            elif stat.S_ISDIR(mode):
                self._directory(os.open(child.name, _OPEN_DIRECTORY, dir_fd=parent), path, status)
            else:
                self._special(parent, child.name, path, status)
        except OSError as error:
            if error.filename is None or error.filename == child.name:
                error.filename = str(self._root / path)
            raise

    def _file(self, parent: int, name: str, path: str, status: os.stat_result) -> None:
        if status.st_nlink > 1:
            first = self._links.setdefault((status.st_dev, status.st_ino), path)
            if first != path:
                self._add(self._entry(path, "hardlink", status)._replace(target=first))
                return
        descriptor = os.open(name, _OPEN_FILE, dir_fd=parent)
        try:
            xattrs, _ = self._xattrs(descriptor, path)
            size = status.st_size
            entry = self._entry(path, "file", status)._replace(size=size, xattrs=xattrs)
            self._stream.write(write_header(entry))
            offset = self._stream.offset if size else 0
            digest = self._stream.copy(descriptor, size)
            if digest is None:
                raise HoldfastError(
                    f"cannot pack {self._root / path}: it changed its size while it was read",
                    resolution="Stop what writes there, then run the command again.",
                )
            self._stream.write(bytes(padding(size)))
            self.entries.append(entry._replace(sha256=digest, offset=offset))
        finally:
            os.close(descriptor)

    def _special(self, parent: int, name: str, path: str, status: os.stat_result) -> None:
        mode = status.st_mode
        if stat.S_ISLNK(mode):
            target = os.readlink(name, dir_fd=parent)
            self._add(self._entry(path, "symlink", status)._replace(mode=0o777, target=target))
        elif stat.S_ISFIFO(mode):
            self._add(self._entry(path, "fifo", status))
        elif stat.S_ISSOCK(mode):
            message(f"Left out {path}: sockets exist only while a program listens on them")
        else:
            device = (os.major(status.st_rdev), os.minor(status.st_rdev))
            if stat.S_ISCHR(mode) and device == (0, 0):
                if not self._upper:
                    raise HoldfastError(
                        f"{path!r} cannot be in a layer: 0/0 device nodes are overlayfs whiteouts",
                        resolution="Pack an overlay's upper directory as such (from_overlay_upper), or remove the node.",
                    )
                directory, _, hidden = path.rpartition("/")
                self._whiteout(f"{directory}/{WHITEOUT}{hidden}".lstrip("/"))
                return
            kind: Kind = "char" if stat.S_ISCHR(mode) else "block"
            self._add(self._entry(path, kind, status)._replace(device=device))

    def _entry(self, path: str, kind: Kind, status: os.stat_result) -> Entry:
        # Floor, not truncation, and from the integer: st_mtime is a float that rounds.
        mtime = min(status.st_mtime_ns // 1_000_000_000, self._clamp)
        return Entry(path, kind, status.st_mode & 0o7777, status.st_uid, status.st_gid, mtime)

    def _whiteout(self, path: str) -> None:
        empty = hashlib.sha256().hexdigest()
        self._add(Entry(path, "file", 0, 0, 0, 0, sha256=empty))

    def _add(self, entry: Entry) -> None:
        self._stream.write(write_header(entry))
        self.entries.append(entry)

    def _xattrs(self, descriptor: int, path: str) -> tuple[tuple[tuple[str, str], ...], bool]:
        """The attributes to keep, and whether an upper directory's directory is opaque."""
        names = os.listxattr(descriptor)
        if not names:
            return (), False
        opaque = False
        if self._upper and any(name.startswith(OVERLAY_XATTRS) for name in names):
            overlay = {
                name: os.getxattr(descriptor, name) for name in names if name.startswith(OVERLAY_XATTRS)
            }
            opaque = upper_mark(path, overlay)
        kept: list[tuple[str, str]] = []
        for name in sorted(names):
            if keeps_xattr(name):
                if "=" in name:
                    raise HoldfastError(f"{path!r} cannot be in a layer: its attribute {name!r} contains '='")
                kept.append((name, os.getxattr(descriptor, name).hex()))
        return tuple(kept), opaque
