"""A change in a unit of its own: neither a closed terminal, nor a lost ssh connection, nor a restarted sshd ends it.

The foreground command writes what is wanted to /run/holdfast, starts ``holdfast-switch.service`` (transient, systemd-run(1))
and follows it. systemd allows one unit of a name: that two changes do not meet is its doing, and the lock's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, NoReturn

from holdfast.base.errors import HoldfastError
from holdfast.base.event_lines import JsonLines
from holdfast.base.events import listen, message
from holdfast.base.process import ProcessError
from holdfast.base.process import run as run_program
from holdfast.base.style import Style, coloured, plain
from holdfast.engine import following, output, runs
from holdfast.engine.about import archive_place, installed_place
from holdfast.engine.exits import Exit
from holdfast.engine.outcome import Outcome, demand_root
from holdfast.engine.runs import Result, Run
from holdfast.host.failures import BusyError
from holdfast.host.units.own import SWITCH_UNIT

_SETTLE_SECONDS = 5.0
"""How long systemd may take to forget a unit whose process is gone."""
_PROPERTIES = (
    "Type=exec",
    "KillMode=mixed",  # who stops it waits for the program that runs at the moment: dpkg is not to be interrupted
    "TimeoutStopSec=5min",
    "IgnoreOnIsolate=yes",
    "OOMScoreAdjust=-500",
    "SyslogIdentifier=holdfast",
)
_PASSED_ON = ("HOLDFAST_STORE", "HOLDFAST_TRACEBACK")


class StoppedError(HoldfastError):
    """Somebody stopped the unit, or the machine shuts down."""


def is_possible(root: Path) -> bool:
    """The change is one of the running machine, and systemd runs it (sd_booted(3))."""
    return (
        root == Path("/") and Path("/run/systemd/system").is_dir() and shutil.which("systemd-run") is not None
    )


def engine_command() -> tuple[str, ...]:
    """What starts this same engine again."""
    here = installed_place() or archive_place()
    if here is not None:
        return (sys.executable, "-I", "-S", str(here.resolve()))
    return (sys.executable, "-m", "holdfast.engine")


def run(arguments: list[str], options: argparse.Namespace) -> Outcome:
    """Do in its own unit what ``arguments`` say, and follow it to its end.

    Raises:
        BusyError: another change is under way.
        HoldfastError: the change failed; or its unit could not be started.
    """
    demand_root("change this machine")
    started = runs.start(arguments, colour=output.wants_colour(options))
    with started.held():
        _start_unit(started, options.wait)
        runs.make_last(started)
        return _follow(started)


def follow_last(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast follow`."""
    demand_root("follow a change")
    run = runs.last() if options.root == Path("/") else None
    if run is None:
        raise HoldfastError(
            "no change has been made since this machine was booted"
            if options.root == Path("/")
            else f"the machine below {options.root} does not run: there is nothing to follow",
            resolution="`holdfast status` says which generation is current, and whether a change was interrupted.",
        )
    with run.held():
        message(f"This is {run.request}")
        return _follow(run)


def work(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast work RUN`: what the unit runs."""
    from holdfast.engine.arguments import make_parser, verb_of
    from holdfast.engine.main import demand, load

    run = runs.read(options.run)
    run.claim()
    signal.signal(signal.SIGTERM, _on_stop)
    request = run.request
    with run.events.open("a", buffering=1) as events, listen(JsonLines(_appending(events))):
        try:
            inner = make_parser().parse_args(list(request.arguments))
            style = coloured if request.colour else plain
            outcome = demand(load(verb_of(inner).function)(inner, style))
        except HoldfastError as error:
            run.finish(Result(error.exit_code, None, (), output.error_fields(error)))
            raise
        except BaseException as error:
            failure = output.bug(error)
            run.finish(Result(Exit.ERROR, None, (), output.error_fields(failure)))
            raise failure from error
    run.finish(Result(outcome.code, outcome.result, outcome.lines, None))
    return outcome


def _appending(file: IO[str]) -> Callable[[str], None]:
    def append(line: str) -> None:
        file.write(line + "\n")  # at once: several threads may write

    return append


def _on_stop(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is begun is taken back in peace
    raise StoppedError("the change was stopped from outside", resolution="Run it again.")


def _start_unit(started: Run, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    settled = time.monotonic() + max(_SETTLE_SECONDS, wait_seconds)
    told = False
    while True:
        try:
            run_program(_systemd_run(started))
            return
        except ProcessError as error:
            if "already" not in error.output:
                raise HoldfastError(
                    "systemd did not start the unit for the change",
                    details=f"{error.output}\n{error.details}",
                    resolution=f"Look at `systemctl status {SWITCH_UNIT}`.",
                ) from None
        other = runs.under_way()
        if other is not None and time.monotonic() < deadline:
            if not told:
                message(f"Waiting for {other.request}")
                told = True
            following.wait_for_end(other, deadline - time.monotonic())
        elif other is not None and other.result is None:
            _forget(started)
            raise _busy(str(other.request))
        elif time.monotonic() > settled:
            _forget(started)
            raise _busy(f"the unit {SWITCH_UNIT}")
        else:
            time.sleep(0.02)  # it is over, and systemd is about to notice


def _systemd_run(started: Run) -> list[str]:
    argv = [
        "systemd-run",
        "--quiet",
        "--collect",
        f"--unit={SWITCH_UNIT}",
        "--description=Change by Holdfast",
    ]
    argv += [f"--property={text}" for text in _PROPERTIES]
    if any(word.startswith("--confirm") for word in started.request.arguments):
        # Whoever is cut off by a change whose process was killed could not even run the next command.
        argv += [f"--property=ExecStopPost={' '.join(map(_quoted, (*engine_command(), 'expire')))}"]
    argv += [f"--setenv={name}={os.environ[name]}" for name in _PASSED_ON if os.environ.get(name)]
    return [*argv, "--setenv=LC_ALL=C.UTF-8", "--", *engine_command(), "work", str(started.directory)]


def _quoted(word: str) -> str:
    """As in systemd.service(5), "Command lines"."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$") + '"'


def _busy(other: str) -> BusyError:
    return BusyError(
        f"another change is under way: {other}",
        resolution="`holdfast follow` shows it; --wait SECONDS waits for it.",
    )


def _forget(run: Run) -> None:
    shutil.rmtree(run.directory, ignore_errors=True)


def _follow(run: Run) -> Outcome:
    try:
        result = following.follow(run)
    except KeyboardInterrupt:
        output.write_error_line(
            f"\nNo longer following; the change goes on in {SWITCH_UNIT}.\n"
            "next: `holdfast follow` follows it again; "
            f"`systemctl stop {SWITCH_UNIT}` stops it and takes it back."
        )
        return Outcome(None, code=Exit.INTERRUPTED)
    if result.error is not None:
        error = HoldfastError(
            str(result.error["brief"]),
            details=str(result.error["details"]),
            resolution=str(result.error["resolution"]),
        )
        error.exit_code = result.code
        raise error
    return Outcome(result.result, result.lines, Exit(result.code))
