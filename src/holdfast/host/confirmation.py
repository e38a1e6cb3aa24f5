"""A change that is taken back unless somebody confirms it: the note of it on the machine, which outlives a reboot.

A change that is to be confirmed is noted before it is made, so that there is no moment in which a crash would keep it. It has
run out when its time is over, and also when the machine was booted since: a change that keeps the network from coming up must
not have to be confirmed over that network.
"""

from __future__ import annotations

import time
from pathlib import Path

from holdfast.base.atomic import sync_directory, write_atomically
from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host.journal import boot_id

FILE = "unconfirmed.json"
LOCK = "unconfirmed.lock"
"""Held while it is confirmed, and all the while it is taken back: only one of the two can win."""


@dataclass(frozen=True)
class Unconfirmed:
    """A change that waits."""

    generation: int | None
    """The one that it made current; None while it is being made."""
    previous: int | None
    """What is gone back to; None: nothing was managed before, so everything is given back."""
    boot: str
    """The boot in which it was made, see random(4)."""
    until: int
    """When its time is over: seconds of CLOCK_BOOTTIME, which nobody can set; 0 while it is being made."""
    until_clock: int
    """The same for people: seconds since 1970."""

    @property
    def has_run_out(self) -> bool:
        """Its time is over, or the machine was booted since. The moments in which its timer works are not counted."""
        return self.boot != boot_id() or (self.until > 0 and now() > self.until + _TIMER_SECONDS)


_TIMER_SECONDS = 60


def now() -> int:
    """Seconds since the machine was booted, sleep included."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME))


def begin(home: Path, previous: int | None) -> None:
    """Note that a change is about to be made; durable when this returns.

    Raises:
        HoldfastError: it cannot be written.
    """
    _write(home, Unconfirmed(None, previous, boot_id(), 0, 0))


def wait(home: Path, generation: int | None, previous: int | None, seconds: int) -> Unconfirmed:
    """Note that the change was made and has ``seconds`` from now on.

    Raises:
        HoldfastError: it cannot be written.
    """
    note = Unconfirmed(generation, previous, boot_id(), now() + seconds, int(time.time()) + seconds)
    _write(home, note)
    return note


def read(home: Path) -> Unconfirmed | None:
    """The change that waits, or None.

    Raises:
        HoldfastError: the note cannot be read, or is damaged.
    """
    path = home / FILE
    with explain_os_errors("read which change waits to be confirmed"):
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
    try:
        return decode_json(Unconfirmed, data, what=str(path))
    except HoldfastError as error:
        raise HoldfastError(
            f"the note of the change that waits to be confirmed is damaged: {error.brief}",
            resolution=f"Look at `holdfast generations list`, roll back if need be, and remove {path}.",
        ) from None


def end(home: Path) -> None:
    """Nothing waits any more.

    Raises:
        HoldfastError: the note cannot be removed.
    """
    with explain_os_errors("end the wait for a confirmation"):
        try:
            (home / FILE).unlink()
        except FileNotFoundError:
            return
        sync_directory(home)


def _write(home: Path, note: Unconfirmed) -> None:
    with explain_os_errors("note that the change waits to be confirmed"):
        write_atomically(home / FILE, canonical_json(note), mode=0o600)
