"""Drawing what work tells: live on a terminal, plain lines in a pipe, JSON lines with ``--json``. Always on stderr."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict

from holdfast.base import events
from holdfast.base.events import Event, Message, OutputLine, StageAdvanced, StageEnded, StageStarted

_NAMES = {
    StageStarted: "stage-started",
    StageAdvanced: "stage-advanced",
    StageEnded: "stage-ended",
    Message: "message",
    OutputLine: "output",
}
_ADVANCE_SECONDS = 0.5


@contextmanager
def show_progress(*, as_json: bool = False, verbose: bool = False) -> Generator[None]:
    """Draw the events of the body. ``verbose`` adds what programs print."""
    if as_json:
        with events.listen(JsonLines()):
            yield
    elif sys.stderr.isatty() and not verbose:
        from holdfast.cli.live import live_display

        with live_display():
            yield
    else:
        with events.listen(PlainLines(verbose)):
            yield


@contextmanager
def show_warnings(*, as_json: bool = False) -> Generator[None]:
    """For commands that are over in a moment: only messages, no stages."""
    draw = JsonLines() if as_json else PlainLines(verbose=False)

    def only_messages(event: Event) -> None:
        if isinstance(event, Message):
            draw(event)

    with events.listen(only_messages):
        yield


def describe_amount(amount: int, unit: str) -> str:
    """``12.3 MB``, ``170 packages``."""
    if unit != "bytes":
        return f"{amount} {unit}".rstrip()
    size = float(amount)
    for name in ("B", "kB", "MB", "GB"):
        if size < 1000 or name == "GB":
            break
        size /= 1000
    return f"{size:.0f} {name}" if name == "B" else f"{size:.1f} {name}"


class JsonLines:
    """Every event as one JSON object per line; advances at most twice a second per stage."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[int, float] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, StageAdvanced):
                now = time.monotonic()
                if now - self._last.get(event.stage, 0.0) < _ADVANCE_SECONDS:
                    return
                self._last[event.stage] = now
            fields = {
                name: round(value, 3) if isinstance(value, float) else value
                for name, value in asdict(event).items()
            }
            sys.stderr.write(json.dumps({"event": _NAMES[type(event)], **fields}) + "\n")
            sys.stderr.flush()


class PlainLines:
    """One line when a stage ends, indented by depth; one with stages inside also says that it has begun."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._lock = threading.Lock()
        self._stages: dict[int, StageStarted] = {}
        self._announced: set[int] = set()

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, StageStarted):
                self._announce(event.parent)
                self._stages[event.stage] = event
            elif isinstance(event, StageEnded):
                self._end(event)
            elif isinstance(event, Message):
                self._write(f"{'warning: ' if event.level == 'warning' else ''}{event.text}")
            elif isinstance(event, OutputLine) and self._verbose:
                self._write(f"    | {event.text}")

    def _announce(self, number: int | None) -> None:
        """A stage with stages inside gets its title printed above them, once."""
        if number in self._stages and number not in self._announced:
            self._announce(self._stages[number].parent)
            self._announced.add(number)
            self._write(f"{self._indent(number)}{self._stages[number].title}")

    def _end(self, event: StageEnded) -> None:
        if event.stage not in self._stages:
            return
        indent = self._indent(event.stage)
        del self._stages[event.stage]
        outcome = "failed after" if event.failed else "took" if event.stage in self._announced else ""
        note = f" ({event.note})" if event.note else ""
        self._announced.discard(event.stage)
        self._write(f"{indent}{event.title}{note}: {outcome}{' ' if outcome else ''}{event.seconds:.1f} s")

    def _indent(self, number: int) -> str:
        parent = self._stages[number].parent
        return "" if parent is None or parent not in self._stages else self._indent(parent) + "  "

    def _write(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
