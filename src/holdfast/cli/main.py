"""The console script: make the interpreter deterministic where it matters, arrange for signals, run the command."""

from __future__ import annotations

import gc
import os
import signal
import sys

TYPE_CHECKING = False  # typing costs milliseconds that `holdfast --help` does not have
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

EVALUATING = frozenset({"eval", "explain", "lock", "build", "run", "plan", "switch", "boot", "generations"})
"""Commands that run definitions."""

_OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Importing makes tens of thousands that all stay; to look for garbage among them takes a tenth of a short command's time."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP, raised so that mounts and machines are taken down on the way out."""


def main() -> NoReturn:
    """Run the command that ``sys.argv`` names, and exit with its code."""
    _open_what_is_closed()
    if EVALUATING.intersection(sys.argv[1:2]):
        _fix_hash_seed()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    _end_quietly_on_interrupts()
    from holdfast.cli.rights import gain_rights
    from holdfast.cli.table import run

    _arrange_for_signals()
    sys.exit(run(sys.argv[1:], gain_rights))


def _fix_hash_seed() -> None:
    """Start over with hash seed 0, unless it is: else the order of a set of strings differs from run to run, and with it what a
    definition that iterates over one comes to. The seed can only be chosen before the interpreter starts.
    """
    if sys.flags.hash_randomization and not sys.flags.ignore_environment:
        os.execve(sys.executable, sys.orig_argv, {**os.environ, "PYTHONHASHSEED": "0"})


def _open_what_is_closed() -> None:
    """Let stdin, stdout and stderr be something (`>&-`): else what is opened next gets their numbers, and is written into."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number, inheritable=True)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _end_quietly_on_interrupts() -> None:
    """Until there is something to take down, ^C ends the process where it is, instead of with a traceback of an import."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, and stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _arrange_for_signals() -> None:
    """Turn signals into exceptions, but for those that whoever started us ignores (nohup(1), a job in the background)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_terminate)


def _on_terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
