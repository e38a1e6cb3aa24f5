"""Work in a forked child, for what cannot be undone in a process: dying, dropping root, mounts, limits."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable


def start(function: Callable[[], object]) -> int:
    """Run it in a forked child; returns the child's process id. The child never outlives this process."""
    child = os.fork()
    if child == 0:  # pragma: no cover
        status = 1
        try:
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            function()
            status = 0
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    """The child's status as of waitpid(2): 0, or the signal that killed it."""
    return os.waitpid(child, 0)[1]


def told_by(function: Callable[[], object]) -> str:
    """Run it in a child; returns the text of the exception that ends it, or an empty string."""
    read, write = os.pipe()

    def tell() -> None:
        try:
            function()
        except Exception as error:
            os.write(write, str(error).encode()[:4000])

    child = start(tell)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        text = stream.read().decode()
    assert ended(child) == 0
    return text
