"""What work tells about itself. Work emits; renderers (``cli``) listen and draw; nobody prints.

An event is a frozen dataclass. A *stage* is a stretch of work with a title, perhaps a total, and a duration; stages nest.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Union

from holdfast.base.records import dataclass


@dataclass(frozen=True)
class StageStarted:
    """A stretch of work has begun."""

    stage: int
    parent: int | None
    title: str
    total: int | None
    """Amount of work in ``unit``, or None when it is not known."""
    unit: str
    """``bytes``, or a plural noun such as ``packages``; empty for a stage without an amount."""


@dataclass(frozen=True)
class StageAdvanced:
    """So much of a stage is done by now."""

    stage: int
    done: int


@dataclass(frozen=True)
class StageEnded:
    """A stage is over, well or not."""

    stage: int
    title: str
    seconds: float
    failed: bool
    note: str


@dataclass(frozen=True)
class Message:
    """Something a person should know."""

    level: Literal["info", "warning"]
    text: str


@dataclass(frozen=True)
class OutputLine:
    """One line that a process printed while it ran."""

    text: str


Event = Union[StageStarted, StageAdvanced, StageEnded, Message, OutputLine]
Listener = Callable[[Event], None]

_listeners: tuple[Listener, ...] = ()
_numbers = itertools.count(1)
_current: ContextVar[int | None] = ContextVar("stage", default=None)


def emit(event: Event) -> None:
    """Hand ``event`` to every listener, in the calling thread."""
    for listener in _listeners:
        listener(event)


def message(text: str, *, level: Literal["info", "warning"] = "info") -> None:
    emit(Message(level, text))


@contextmanager
def listen(listener: Listener) -> Generator[None]:
    """Send the events of this process, from any thread, to ``listener`` during the body."""
    global _listeners  # one event stream per process is the point
    before = _listeners
    _listeners = (*before, listener)
    try:
        yield
    finally:
        _listeners = before


class Relay:
    """Emits here what another process tells, as if it happened within the stage in which this was made."""

    def __init__(self, prefix: str = "") -> None:
        """``prefix`` stands before every title and message: who tells it, where several do."""
        self._prefix = prefix
        self._within = _current.get()
        self._stages: dict[int, int] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, StageStarted):
            number = self._stages[event.stage] = next(_numbers)
            parent = self._within if event.parent is None else self._stages.get(event.parent, self._within)
            emit(StageStarted(number, parent, self._prefix + event.title, event.total, event.unit))
        elif isinstance(event, StageAdvanced):
            if event.stage in self._stages:
                emit(StageAdvanced(self._stages[event.stage], event.done))
        elif isinstance(event, StageEnded):
            number = self._stages.pop(event.stage, 0)
            if number:
                emit(StageEnded(number, self._prefix + event.title, event.seconds, event.failed, event.note))
        elif isinstance(event, Message):
            emit(Message(event.level, self._prefix + event.text))
        else:
            emit(OutputLine(self._prefix + event.text))


class Stage:
    """Handle of a running stage; safe to advance from several threads."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._done = 0
        self._lock = threading.Lock()
        self.note = ""
        """A few words for the end of the stage's line, such as ``cached`` or ``170 packages``."""

    def advance(self, amount: int = 1) -> None:
        with self._lock:
            self._done += amount
            done = self._done
        emit(StageAdvanced(self._number, done))


@contextmanager
def stage(title: str, *, total: int | None = None, unit: str = "") -> Generator[Stage]:
    """Announce a stretch of work. ``title`` is a gerund phrase: ``Fetching packages``."""
    number = next(_numbers)
    handle = Stage(number)
    started = time.monotonic()
    emit(StageStarted(number, _current.get(), title, total, unit))
    token = _current.set(number)
    failed = True
    try:
        yield handle
        failed = False
    finally:
        _current.reset(token)
        emit(StageEnded(number, title, time.monotonic() - started, failed, handle.note))
