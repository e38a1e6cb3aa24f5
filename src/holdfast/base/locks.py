"""Advisory locks between processes, which say who holds them (flock(2): the kernel drops them when the holder dies)."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.base.errors import HoldfastError
from holdfast.base.events import message

_POLL_SECONDS = 0.05


class LockedError(HoldfastError):
    """Somebody else holds the lock."""


@contextmanager
def file_lock(
    path: Path, *, shared: bool = False, wait_seconds: float = 0.0, purpose: str
) -> Generator[None]:
    """Hold the lock file ``path`` during the body. It stays on disk; only the lock goes.

    ``wait_seconds`` bounds how long another holder is waited for. ``purpose`` says what the lock guards, for the
    person who is refused.

    Raises:
        LockedError: another process still holds the lock after ``wait_seconds``; names it.
        OSError: the lock file cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        _acquire(descriptor, path, shared, wait_seconds, purpose)
        if not shared:
            with suppress(OSError):  # a full disk must not keep anybody from what may free it
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, _describe_self().encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, shared: bool, wait_seconds: float, purpose: str) -> None:
    operation = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB
    deadline = time.monotonic() + wait_seconds
    told = False
    while True:
        try:
            fcntl.flock(descriptor, operation)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace").strip() or "another process"
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"{purpose} is locked by {holder}",
                    resolution=f"Wait for it to finish, then run the command again. The lock file is {path}.",
                ) from None
            if not told:
                message(f"Waiting for {holder} to release {purpose}")
                told = True
            time.sleep(_POLL_SECONDS)  # flock(2) offers no wait with a deadline


def _describe_self() -> str:
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:150] if sys.argv else "python"
    return f"process {os.getpid()} ({command})"
