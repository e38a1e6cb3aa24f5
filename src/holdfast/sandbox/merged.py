"""A root file system mounted for Python itself, seen by the calling thread and by the processes it starts, and by nobody else."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from holdfast.sandbox import kernel
from holdfast.sandbox.mounts import anchor, leave_shared_mounts, mount_root
from holdfast.sandbox.root import Root


@contextmanager
def overlay(root: Root) -> Generator[Path]:
    """Mount ``root`` during the body and give its path.

    The calling thread moves to a mount namespace of its own and back. Threads it starts, and processes, see the path;
    threads that existed before do not (for them it does not exist, so a mistake is an error and not a write elsewhere). Nesting
    works. Nothing is visible to the machine, and a killed process leaves nothing behind.

    Raises:
        HoldfastError: this process may not mount, a layer is missing, or the kernel refuses; names the root.
    """
    stand = anchor()
    with _own_mounts():
        yield mount_root(root, stand)


@contextmanager
def _own_mounts() -> Generator[None]:
    """A mount namespace of the calling thread's own during the body."""
    home = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    directory = os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        leave_shared_mounts()
        try:
            yield
        finally:
            kernel.set_namespace(home, kernel.CLONE_NEWNS)  # moves the working directory to the root, too
            os.fchdir(directory)
    finally:
        os.close(directory)
        os.close(home)
