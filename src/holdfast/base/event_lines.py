"""Events as lines of text: for people in a pipe, and as JSON, which another process can read back.

A JSON line is an object with ``event`` (``stage-started``, ``stage-advanced``, ``stage-ended``, ``message``, ``output``) and the
fields of the dataclass in :mod:`holdfast.base.events`. The codec has no floats, and ``seconds`` is one: hence a reader of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, cast, get_args, get_origin, get_type_hints

from holdfast.base.events import Event, Message, OutputLine, StageAdvanced, StageEnded, StageStarted
from holdfast.base.style import printable_text

_NAMES: dict[type[Event], str] = {
    StageStarted: "stage-started",
    StageAdvanced: "stage-advanced",
    StageEnded: "stage-ended",
    Message: "message",
    OutputLine: "output",
}
_ADVANCE_SECONDS = 0.5
WriteLine = Callable[[str], None]


class JsonLines:
    """A listener that writes every event as one JSON object per line; advances at most twice a second per stage."""

    def __init__(self, write: WriteLine) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._last: dict[int, float] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, StageAdvanced):
                now = time.monotonic()
                if now - self._last.get(event.stage, 0.0) < _ADVANCE_SECONDS:
                    return
                self._last[event.stage] = now
            self._write(event_line(event))


def event_line(event: Event) -> str:
    fields = {
        name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(event).items()
    }
    return json.dumps({"event": _NAMES[type(event)], **fields})


def read_event(line: str | bytes) -> Event | None:
    """What :func:`event_line` wrote; None for anything else, such as an event that a newer Holdfast knows."""
    try:
        data: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    fields = cast("dict[str, object]", data)
    cls = next((cls for cls, name in _NAMES.items() if name == fields.get("event")), None)
    if cls is None:
        return None
    values: dict[str, Any] = {}  # Any: checked here against the hints, one by one
    for name, hint in get_type_hints(cls).items():
        if name not in fields or not _fits(hint, fields[name]):
            return None
        values[name] = fields[name]
    return cls(**values)


def _fits(hint: object, value: object) -> bool:
    if get_origin(hint) is not None:
        return any(_fits(option, value) for option in get_args(hint)) or value in get_args(hint)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(hint, type) and isinstance(value, hint)


class PlainLines:
    """A listener for people: one line when a stage ends, indented by depth; one with stages inside also says that it has begun.
    Nothing of it steers a terminal: another machine may have told it.
    """

    def __init__(self, write: WriteLine, *, verbose: bool) -> None:
        self._write: WriteLine = lambda line: write(printable_text(line))
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
                self._write(f"    | {event.text.rstrip()}")

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
