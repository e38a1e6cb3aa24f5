"""Files that are either wholly there or not there at all, also after a power cut."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


def sync_directory(path: Path) -> None:
    """Make renames inside ``path`` durable (fsync(2) on the directory)."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file_system(path: Path | int) -> None:
    """Make everything that was written to the file system of ``path``, or of an open file, durable (syncfs(2)): one call for a whole tree."""
    import ctypes  # only here, since it takes 5 ms to load

    descriptor = os.dup(path) if isinstance(path, int) else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def keeps_order(directory: int) -> bool:
    """Whether the file system of an open directory makes all earlier renames durable with one that is synced (one journal for everything).

    Others, such as btrfs and f2fs, write what is synced alone; an overlay may be on one of them. See statfs(2).
    """
    import ctypes

    buffer = ctypes.create_string_buffer(512)
    if ctypes.CDLL(None, use_errno=True).fstatfs(directory, buffer) != 0:
        return False
    return ctypes.c_ulong.from_buffer(buffer).value & 0xFFFFFFFF in _JOURNALLED


_JOURNALLED = (0xEF53, 0x58465342)
"""ext3 and ext4, XFS."""


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o644, durable: bool = True) -> Generator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the body ends, and vanishes if it raises.

    ``durable=False`` leaves out the two fsyncs, for content that can be made again.

    Raises:
        OSError: the file cannot be written; ``path`` is then as it was.
    """
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.tmp")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as stream:
            yield stream
            stream.flush()
            os.fchmod(stream.fileno(), mode)
            if durable:
                os.fsync(stream.fileno())
        temporary.rename(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    if durable:
        sync_directory(path.parent)


def write_atomically(path: Path, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace the content of ``path`` by ``data`` in one step. See :func:`atomic_file`."""
    with atomic_file(path, mode=mode, durable=durable) as stream:
        stream.write(data)


def replace_link(path: Path, target: str) -> None:
    """Make ``path`` a symbolic link to ``target`` in one step, whatever was there but a directory."""
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(6)}.tmp")
    temporary.symlink_to(target)
    try:
        temporary.rename(path)
    except BaseException:
        temporary.unlink()
        raise
