"""The lock that passwd(1), useradd(8) and their like hold while they rewrite account files: see lckpwdf(3)."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager

from holdfast.base.errors import HoldfastError
from holdfast.host.files.rooted import RootDirectory

PATH = "/etc/.pwd.lock"
SECONDS = 15
"""How long lckpwdf(3) waits, too."""


@contextmanager
def account_lock(root: RootDirectory, *, seconds: float = SECONDS) -> Generator[None]:
    """Keep everybody else from changing the account files of ``root`` during the body.

    Raises:
        HoldfastError: another program holds the lock for longer than ``seconds``.
        OSError: the lock file cannot be made.
    """
    with root.parent(PATH) as (directory, name):
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        deadline = time.monotonic() + seconds
        while not _try(descriptor):
            if time.monotonic() > deadline:
                raise HoldfastError(
                    f"another program has been changing accounts for {seconds:g} seconds ({PATH} is locked)",
                    resolution="Look which one it is (`lslocks`), wait for it, then run the command again.",
                )
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
