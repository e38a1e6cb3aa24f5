"""Drawing what work tells: live on a terminal, plain lines in a pipe, JSON lines with ``--json``. Always on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from holdfast.base import events
from holdfast.base.event_lines import JsonLines, PlainLines
from holdfast.base.event_lines import describe_amount as describe_amount
from holdfast.base.events import Event, Message

Pause = Callable[[], AbstractContextManager[None]]
"""Nothing is drawn in the body of what it returns, so that a program may ask on the terminal."""


@contextmanager
def show_progress(*, as_json: bool = False, verbose: bool = False) -> Generator[Pause]:
    """Draw the events of the body. ``verbose`` adds what programs print."""
    if as_json:
        with events.listen(JsonLines(_write_line)):
            yield nullcontext
    elif sys.stderr.isatty() and not verbose:
        from holdfast.cli.live import live_display

        with live_display() as pause:
            yield pause
    else:
        with events.listen(PlainLines(_write_line, verbose=verbose)):
            yield nullcontext


@contextmanager
def show_warnings(*, as_json: bool = False) -> Generator[None]:
    """For commands that are over in a moment: only messages, no stages."""
    draw = JsonLines(_write_line) if as_json else PlainLines(_write_line, verbose=False)

    def only_messages(event: Event) -> None:
        if isinstance(event, Message):
            draw(event)

    with events.listen(only_messages):
        yield


def _write_line(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
