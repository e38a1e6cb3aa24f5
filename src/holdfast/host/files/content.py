"""Writing content to where it belongs, from wherever it is kept; the small deeds that every way of applying a plan shares."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from holdfast.base.digests import Digest, hex_of, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.host import state as places
from holdfast.host.files.nodes import File, Folder, Symlink
from holdfast.host.files.rooted import READ, RootDirectory, read_attributes, read_node, write_attributes

_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a file is opened that must not be there yet."""

Blobs = Callable[[Digest], BinaryIO]
"""Opens stored content by its digest."""


class Contents:
    """Content by digest: from the plan itself, from what is kept in the root, or from stored blobs."""

    def __init__(self, planned: Mapping[Digest, bytes], root: RootDirectory, blobs: Blobs) -> None:
        self._planned, self._root, self._blobs = planned, root, blobs

    def fill(self, file: int, digest: Digest) -> None:
        """Write content to an open file.

        Raises:
            HoldfastError: it is damaged, or nowhere.
        """
        data = self._planned.get(digest)
        if data is not None:
            write_all(file, data)
            return
        kept = f"{places.KEPT}/{hex_of(digest)}"
        try:
            with self._root.open(kept) as stream:
                found = copy_into(stream, file)
            if found != digest:
                raise HoldfastError(
                    f"what is kept of a file that was replaced is damaged: {kept} reads as {found}",
                    resolution="Put it back from a backup: its name is the SHA-256 of its content.",
                )
            return
        except FileNotFoundError:
            with self._blobs(digest) as stream:
                found = copy_into(stream, file)
        if found != digest:
            raise HoldfastError(
                f"stored content is damaged: {digest} reads as {found}",
                resolution=f"Where systems are built: `holdfast store verify`. On any other machine: remove blobs/sha256/{hex_of(digest)} "
                "from its store (/var/lib/holdfast), and switch again, which brings it anew.",
            )

    def read(self, digest: Digest) -> bytes:
        """The content whole, unchecked: for people to look at."""
        data = self._planned.get(digest)
        if data is None:
            data = self._root.read(f"{places.KEPT}/{hex_of(digest)}")
        if data is None:
            with self._blobs(digest) as stream:
                data = stream.read()
        return data

    def size(self, digest: Digest) -> int:
        """In bytes."""
        data = self._planned.get(digest)
        if data is not None:
            return len(data)
        try:
            with self._root.open(f"{places.KEPT}/{hex_of(digest)}") as stream:
                return stream.seek(0, os.SEEK_END)
        except FileNotFoundError:
            with self._blobs(digest) as stream:
                return stream.seek(0, os.SEEK_END)

    def make(self, directory: int, name: str, node: File, attributes: Mapping[str, str]) -> None:
        """Make a file that is not there yet."""
        file = os.open(name, NEW, 0o600, dir_fd=directory)
        try:
            self.fill(file, node.digest)
            os.fchown(file, node.uid, node.gid)
            write_attributes(file, attributes)
            os.fchmod(file, int(node.mode, 8))  # after the owner: chown(2) clears setuid
        finally:
            os.close(file)


def set_directory(directory: int, name: str, node: Folder) -> None:
    """Give a directory its owner and mode."""
    descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        os.fchown(descriptor, node.uid, node.gid)
        os.fchmod(descriptor, int(node.mode, 8))
    finally:
        os.close(descriptor)


def remove_directory(directory: int, name: str) -> None:
    """Remove a directory if there is one and nothing is in it."""
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        # Something of somebody else's is in it or mounted on it, or they removed it: nothing of that leaves anything to do for us.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EBUSY, errno.ENOENT, errno.ENOTDIR):
            raise


def put_directory_back(directory: int, name: str, node: Folder, temporary: str) -> None:
    """Make a directory that was removed; one that is there has something of others in it, or is back: it is left as it is."""
    with suppress(FileNotFoundError):
        os.rmdir(temporary, dir_fd=directory)
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        os.mkdir(temporary, 0o700, dir_fd=directory)
        set_directory(directory, temporary, node)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def copy_into(stream: BinaryIO, file: int) -> Digest:
    """Copy to the end; returns the digest of what was copied."""
    state = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
        write_all(file, chunk)
    return parse_digest(state.hexdigest())


def copy_with_everything(source: int, name: str, target: Path | str, *, to: int | None = None) -> None:
    """Copy a file or link with owner, mode, times and attributes."""
    status = os.stat(name, dir_fd=source, follow_symlinks=False)
    if isinstance(read_node(source, name, hashing=False), Symlink):
        os.symlink(os.readlink(name, dir_fd=source), target, dir_fd=to)
        os.chown(target, status.st_uid, status.st_gid, dir_fd=to, follow_symlinks=False)
        return
    descriptor = os.open(name, READ, dir_fd=source)
    with os.fdopen(descriptor, "rb") as stream:
        copy = os.open(target, NEW, 0o600, dir_fd=to)
        try:
            copy_into(stream, copy)
            os.fchown(copy, status.st_uid, status.st_gid)
            write_attributes(copy, read_attributes(stream.fileno()))
            os.fchmod(copy, status.st_mode & 0o7777)
            os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
        finally:
            os.close(copy)


@contextmanager
def opened(directory: Path) -> Generator[int]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
