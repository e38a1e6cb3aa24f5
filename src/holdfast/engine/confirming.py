"""`--confirm SECONDS`: a change is taken back unless `holdfast confirm` comes in time.

A transient timer of systemd is the dead man: it needs neither the connection over which the change was made, nor this process.
Over a reboot it does not live; then the early unit takes the change back (:mod:`holdfast.engine.early`), and should that be
kept from running, the next command that changes something does so first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message
from holdfast.base.locks import LockedError, file_lock
from holdfast.base.process import ProcessError, run
from holdfast.base.style import Style
from holdfast.engine import detached, early
from holdfast.engine.outcome import Outcome, Place, demand_root
from holdfast.host import confirmation, operations, report
from holdfast.host.change import Change
from holdfast.host.confirmation import Unconfirmed
from holdfast.host.failures import BusyError, RefusedError, StuckError, TakenBackError
from holdfast.host.home import home_path, make_home
from holdfast.host.journal import boot_id
from holdfast.host.live import Live
from holdfast.host.operations import SwitchOptions, SwitchResult
from holdfast.host.units.own import CONFIRM_TIMER, CONFIRM_UNIT

_LOCK_SECONDS = 900.0
"""How long the dead man waits for a command that is at work."""


class Waiting:
    """What came of the change in the body of :func:`around`."""

    def __init__(self) -> None:
        self.change: Change | None = None
        self.note: Unconfirmed | None = None

    def changed(self, change: Change) -> None:
        self.change = change

    def lines(self, style: Style) -> list[str]:
        if self.note is None:
            return []
        left = max(0, self.note.until - confirmation.now())
        at = time.strftime("%H:%M:%S", time.localtime(self.note.until_clock))
        return [
            style("warning", f"Unless it is confirmed within {left} s (until {at}), it is taken back")
            + "; so it is if the machine is rebooted before. Keep it: holdfast confirm"
        ]

    def json(self) -> dict[str, JSON]:
        """``confirm_until``: seconds since 1970, or null where nothing waits."""
        return {"confirm_until": self.note.until_clock if self.note else None}


@contextmanager
def around(place: Place, live: Live, seconds: int | None, *, answers: bool) -> Generator[Waiting]:
    """Make a change in the body, which waits to be confirmed for ``seconds`` where that is given.

    ``answers``: the change is one with which an earlier one that waits may be answered: it then waits no longer.

    Raises:
        RefusedError: an earlier change waits to be confirmed.
        HoldfastError: there is no systemd to take it back.
    """
    home = home_path(live)
    if seconds is not None and live.systemd is None:
        raise HoldfastError(
            "--confirm needs a running systemd, which takes the change back when nobody confirms it",
            resolution="Leave out --confirm.",
        )
    settle(place, live)
    before = confirmation.read(home)
    if before is not None and not answers:
        raise RefusedError(
            f"generation {before.generation} waits to be confirmed",
            resolution="Confirm it (`holdfast confirm`) or take it back (`holdfast rollback`) first.",
        )
    waiting = Waiting()
    if seconds is None:
        yield waiting
        if before is not None:
            _end(place, home)
        return
    early.install(place.root)
    previous = operations.status(live).generation
    confirmation.begin(make_home(live), previous)
    try:
        yield waiting
    except StuckError:
        raise
    except BaseException:
        if operations.status(live).generation == previous:
            _end(place, home)
        else:  # it was committed, and nobody waits for its confirmation
            take_back(place, live)
        raise
    if waiting.change is None or waiting.change.empty:
        _end(place, home)
        return
    _start_timer(place, live, seconds, waiting.change.generation)
    waiting.note = confirmation.wait(home, waiting.change.generation, previous, seconds)


def confirm(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast confirm`."""
    demand_root("confirm a change")
    place = Place(options.root)
    with place.live() as live:
        home = home_path(live)
        if confirmation.read(home) is None:
            raise _nothing_waits()
        with _deciding(home, 0.0):
            note = confirmation.read(home)
            if note is None or note.generation is None:
                raise _nothing_waits()
            if note.boot != boot_id():
                raise HoldfastError(
                    f"generation {note.generation} was not confirmed before the machine was booted: it is taken back",
                    resolution="Switch to it again.",
                )
            _end(place, home)
    text = f"Generation {note.generation} is confirmed."
    return Outcome({"generation": note.generation}, (style("good", text),))


def expire(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast expire`: what the timer runs; without a generation, what systemd runs when the change's own process has ended.

    Where that was killed, its change may be made, or half made, and no timer runs for it.
    """
    demand_root("take back a change")
    place = Place(options.root)
    with place.live() as live:
        home = home_path(live)
        note = confirmation.read(home)
        is_meant = note is not None and (
            note.until == 0 if options.generation is None else note.generation == options.generation
        )
        if not is_meant:
            return Outcome(None, ("Nothing waits to be confirmed any more.",))
        result = take_back(place, live)
    return Outcome(None, tuple(report.render_result(result, style)) if result else ())


def settle(place: Place, live: Live) -> None:
    """Take back what has run out, before anything else is done. The other half of what the timer and the early unit do.

    Raises:
        HoldfastError: it cannot be taken back.
    """
    note = confirmation.read(home_path(live))
    if note is not None and note.has_run_out:
        what = "a change" if note.generation is None else f"generation {note.generation}"
        message(f"Nobody confirmed {what} in time: taking it back first", level="warning")
        take_back(place, live)


def take_back(place: Place, live: Live) -> SwitchResult | None:
    """Go back from the change that waits to what was before it.

    Raises:
        HoldfastError: it cannot be taken back.
    """
    home = home_path(live)
    with _deciding(home, _LOCK_SECONDS):
        note = confirmation.read(home)
        if note is None:
            return None
        options = SwitchOptions(wait_seconds=_LOCK_SECONDS)
        operations.recover(live, options)
        result: SwitchResult | None = None
        if operations.status(live).generation != note.previous:
            if note.previous is None:
                result = operations.deactivate(live, options)
            else:
                result = operations.rollback(live, note.previous, options)
        _end(place, home)
        return result


@contextmanager
def _deciding(home: Path, seconds: float) -> Generator[None]:
    lock = file_lock(home / confirmation.LOCK, wait_seconds=seconds, purpose="confirming the change")
    with ExitStack() as stack:
        try:
            stack.enter_context(lock)
        except LockedError:
            raise BusyError(
                "it is too late: the change is being taken back",
                resolution="`holdfast status` says when it is.",
            ) from None
        yield


def _nothing_waits() -> HoldfastError:
    return HoldfastError(
        "nothing waits to be confirmed",
        resolution="`holdfast status` says which generation is current: one that was not confirmed in time is taken back.",
    )


def _end(place: Place, home: Path) -> None:
    confirmation.end(home)
    early.remove_if_idle(place.root, home)
    if place.is_running and Path("/run/systemd/system").is_dir():
        run(["systemctl", "stop", CONFIRM_TIMER], check=False)


def _start_timer(place: Place, live: Live, seconds: int, generation: int | None) -> None:
    argv = [
        *("systemd-run", "--quiet", "--collect", f"--unit={CONFIRM_UNIT}"),
        "--description=Take back what nobody confirmed",
        *(f"--on-active={seconds}s", "--timer-property=AccuracySec=100ms"),
        *(
            "--property=TimeoutStopSec=5min",
            "--property=SyslogIdentifier=holdfast",
            "--setenv=LC_ALL=C.UTF-8",
        ),
        *("--", *detached.engine_command(), "expire", f"--generation={generation}"),
    ]
    try:
        run(["systemctl", "stop", CONFIRM_TIMER], check=False)
        run(argv)
    except ProcessError as error:
        take_back(place, live)
        raise TakenBackError(
            "systemd did not start the timer that takes back what is not confirmed; so the change was taken back",
            details=error.details,
            resolution="Switch without --confirm.",
        ) from None
