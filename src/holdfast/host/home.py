"""Where Holdfast keeps what it knows of a machine, as a path that no link leads away from, and the lock on it."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from holdfast.base.atomic import sync_directory
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.locks import LockedError, file_lock
from holdfast.host import state as places
from holdfast.host.failures import BusyError
from holdfast.host.live import Live

LOCK = "lock"


def home_path(live: Live) -> Path:
    """The directory's path, whether it is there or not.

    Raises:
        HoldfastError: a file or a foreign link is in the way.
    """
    located = live.root.locate(f"{places.HOME}/{LOCK}")
    if located.blocked:
        raise HoldfastError(f"{places.HOME} cannot be used: {located.blocked}")
    return (live.path / located.real.lstrip("/")).parent


def make_home(live: Live) -> Path:
    """Make the directory and what is always in it; returns its path.

    Raises:
        HoldfastError: it cannot be made.
    """
    home = home_path(live)
    with explain_os_errors("make Holdfast's directory"):
        for directory in (*reversed(home.parents), home, *(home / name for name in ("generations", "kept"))):
            if not directory.exists():
                directory.mkdir(0o700 if directory == home else 0o755)
                directory.chmod(0o700 if directory == home else 0o755)
                sync_directory(directory.parent)
    return home


@contextmanager
def locked(live: Live, *, wait_seconds: float = 0.0) -> Generator[Path]:
    """Be the only one who changes the machine during the body, which gets the path of Holdfast's directory.

    Raises:
        BusyError: another run changes it; says which.
    """
    home = make_home(live)
    with ExitStack() as stack:
        lock = file_lock(home / LOCK, wait_seconds=wait_seconds, purpose="this machine's configuration")
        try:
            with explain_os_errors("lock the machine"):
                stack.enter_context(lock)
        except LockedError as error:
            raise BusyError(error.brief, details=error.details, resolution=error.resolution) from None
        yield home
