"""The lock that package managers hold while they work: waited for, and kept over all the commands of a change.

apt and dpkg use fcntl(2) record locks. Ours is an open file description lock on the same file, which excludes theirs and is
inherited: an apt-get that outlives its parent still has it, so whoever recovers waits for it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.base.errors import explain_os_errors
from holdfast.base.events import message
from holdfast.host.failures import BusyError
from holdfast.host.packages.apt.facts import Holder

FRONTEND = Path("/var/lib/dpkg/lock-frontend")
_INNER = Path("/var/lib/dpkg/lock")
_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux, and of 32-bit with large file support
_POLL_SECONDS = 0.2
_MODE = 0o640


@contextmanager
def package_lock(*, wait_seconds: float) -> Generator[int]:
    """Keep every package manager out during the body. Gives the descriptor that programs of ours inherit.

    Raises:
        BusyError: somebody still has it after ``wait_seconds``; says who.
    """
    with explain_os_errors("open dpkg's lock"):
        descriptor = os.open(FRONTEND, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    try:
        deadline = time.monotonic() + wait_seconds
        told = 0
        while (holder := _try_to_lock(descriptor) or locked_by(_INNER)) is not None:
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"packages are being changed by {holder.command} (process {holder.pid}), for more than {wait_seconds:g} seconds",
                    resolution="Wait for it to finish, then run the command again.",
                )
            if told != holder.pid:
                message(f"Waiting for {holder.command} (process {holder.pid}), which is changing packages")
                told = holder.pid
            time.sleep(_POLL_SECONDS)  # there is no wait with a deadline
        yield descriptor
    finally:
        os.close(descriptor)


def package_lock_holder() -> Holder | None:
    """Who changes packages right now."""
    return locked_by(FRONTEND) or locked_by(_INNER)


def locked_by(path: Path) -> Holder | None:
    """Who has a record lock on a file; None when nobody has, or it is not there."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        return _holder(descriptor)
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> Holder | None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    except (BlockingIOError, PermissionError):
        return _holder(descriptor) or Holder(0, "another process")
    return None


def _holder(descriptor: int) -> Holder | None:
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    answer: bytes = fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, asked)
    kind, _, _, _, pid = struct.unpack(_FLOCK, answer)
    if kind == fcntl.F_UNLCK:
        return None
    return Holder(pid, _command(pid) if pid > 0 else "another run of holdfast")


def _command(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        names = [word.decode("utf-8", "replace").rpartition("/")[2] for word in words[:3]]
        if names and names[0]:
            return " ".join(names)
    return "another process"
