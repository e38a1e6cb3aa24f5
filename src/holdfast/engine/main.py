"""The engine's command: parse, run a verb here or in a unit of its own, show what came of it, exit."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn, cast

from holdfast.base.errors import HoldfastError
from holdfast.base.events import listen
from holdfast.base.style import Style, coloured, plain
from holdfast.engine import output
from holdfast.engine.about import hold
from holdfast.engine.arguments import Verb, make_parser, verb_of
from holdfast.engine.exits import Exit

if TYPE_CHECKING:
    from types import FrameType

    from holdfast.engine.outcome import Outcome

_OBJECTS_BETWEEN_COLLECTIONS = 100_000  # a short command makes little garbage and many objects that stay


class Terminated(BaseException):
    """SIGTERM or SIGHUP: the command ends, and takes down what it set up on the way out."""


def main() -> NoReturn:
    """Run the command that ``sys.argv`` names, and exit with its code."""
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    os.umask(0o022)  # a person's own would get into the modes of what is made
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _on_terminate)
    hold()
    arguments = sys.argv[1:]
    sys.argv[0] = "holdfast"  # who holds a lock, for those who find it held
    code = run(arguments)
    with suppress(BrokenPipeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)  # to take thousands of objects to pieces first takes a tenth of a short command's time


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code, see :class:`~holdfast.engine.exits.Exit`."""
    as_json = "--json" in arguments  # also for what is wrong with the arguments themselves
    try:
        options = make_parser().parse_args(arguments)
        as_json = options.as_json
        verb = verb_of(options)
        with listen(output.listener(as_json=as_json, verbose=options.verbose)):
            outcome = _perform(verb, options, arguments)
        if options.text:
            output.write_json({"result": outcome.result, "lines": list(outcome.lines)})
        elif as_json and outcome.result is not None:
            output.write_json(outcome.result)
        elif not as_json:
            output.write_lines(outcome.lines)
        sys.stdout.flush()
    except KeyboardInterrupt:
        output.write_error_line("Interrupted.")
        return Exit.INTERRUPTED
    except Terminated:
        return Exit.TERMINATED
    except BrokenPipeError:
        # Nobody to tell; nor may the interpreter complain while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return Exit.READER_GONE
    except HoldfastError as error:
        output.show_error(error, as_json=as_json)
        return error.exit_code
    except Exception as error:  # the last line of defence: a bug is told as one
        output.show_error(output.bug(error), as_json=as_json)
        return Exit.ERROR
    return outcome.code


def _perform(verb: Verb, options: argparse.Namespace, arguments: list[str]) -> Outcome:
    style = coloured if output.wants_colour(options) else plain
    if verb.changes and not getattr(options, "dry_run", False):
        from holdfast.engine import detached

        if detached.is_possible(options.root):
            outcome = load(verb.shortcut)(options, style) if verb.shortcut else None
            return outcome or detached.run(arguments, options)
    return demand(load(verb.function)(options, style))


def load(function: str) -> Callable[[argparse.Namespace, Style], Outcome | None]:
    """A function of the table of verbs, by its name."""
    module, _, name = function.partition(":")
    return cast(
        "Callable[[argparse.Namespace, Style], Outcome | None]",
        getattr(import_module(f"holdfast.engine.{module}"), name),
    )


def demand(outcome: Outcome | None) -> Outcome:
    """What every function but a shortcut returns."""
    assert outcome is not None
    return outcome


def _on_terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated
