"""Following a run: its events as they are written, its end as soon as it comes, without looking again and again.

Woken by inotify(7) on the run's directory and by a pidfd (pidfd_open(2)) of its process. A kernel without the one or
the other is looked at every fifth of a second.
"""

from __future__ import annotations

import os
import select
import struct
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.base.errors import HoldfastError
from holdfast.base.event_lines import read_event
from holdfast.base.events import emit
from holdfast.engine.runs import Result, Run
from holdfast.host.failures import StuckError

_IN_MODIFY, _IN_MOVED_TO = 0x2, 0x80
_IN_NONBLOCK, _IN_CLOEXEC = os.O_NONBLOCK, os.O_CLOEXEC
_LOOK_MILLISECONDS = 200
_BEGIN_SECONDS = 30.0


def follow(run: Run) -> Result:
    """Emit the events of ``run`` in this process until it ends, and return how it did.

    Raises:
        StuckError: it was killed before it could say how it ended.
        HoldfastError: it never began.
    """
    deadline = time.monotonic() + _BEGIN_SECONDS
    with _watch(run.directory) as watch, run.events.open("rb") as events:
        reader = _Reader()
        process = _Process(run)
        try:
            while True:
                gone = process.is_over()  # asked before its last words are read
                reader.emit_new(events.read())
                result = run.result
                if result is not None:
                    reader.emit_new(events.read())
                    return result
                if gone:
                    raise _killed(run)
                if not run.has_begun and time.monotonic() > deadline:
                    raise HoldfastError(
                        "the unit that was to make the change did not start",
                        resolution="`journalctl -u holdfast-switch` says why.",
                    )
                _sleep(watch, process)
        finally:
            process.close()


def wait_for_end(run: Run, seconds: float) -> bool:
    """Wait until the process of ``run`` is gone; False when it still works after ``seconds``."""
    process = _Process(run)
    deadline = time.monotonic() + seconds
    try:
        while not process.is_over():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            if process.descriptor is None:
                time.sleep(min(left, _LOOK_MILLISECONDS / 1000))
            else:
                select.select([process.descriptor], [], [], left)
        return True
    finally:
        process.close()


class _Process:
    """The process that works, from when it begins to when it is gone."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.descriptor: int | None = None

    def is_over(self) -> bool:
        begun = self._run.has_begun  # asked first: it may begin at any moment
        number = self._run.process
        if number is not None and self.descriptor is None:
            with suppress(OSError):  # an old kernel, or it is gone by now
                self.descriptor = os.pidfd_open(number)
        return begun and number is None

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


class _Reader:
    """Bytes of a growing file to events, a line that is still being written kept for later."""

    def __init__(self) -> None:
        self._rest = b""

    def emit_new(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            event = read_event(line)
            if event is not None:
                emit(event)


def _sleep(watch: int | None, process: _Process) -> None:
    descriptors = [number for number in (watch, process.descriptor) if number is not None]
    begun_unseen = process.descriptor is None
    timeout = _LOOK_MILLISECONDS / 1000 if watch is None or begun_unseen else None
    ready, _, _ = select.select(descriptors, [], [], timeout)
    if watch is not None and watch in ready:
        with suppress(BlockingIOError):
            os.read(watch, struct.calcsize("iIII") * 4096)


@contextmanager
def _watch(directory: Path) -> Generator[int | None]:
    import ctypes  # only here, since it takes 5 ms to load

    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC)
    if descriptor < 0:
        yield None
        return
    try:
        failed = library.inotify_add_watch(descriptor, os.fsencode(directory), _IN_MODIFY | _IN_MOVED_TO) < 0
        yield None if failed else descriptor
    finally:
        os.close(descriptor)


def _killed(run: Run) -> StuckError:
    return StuckError(
        f"{run.request} was killed before it could finish",
        details="`journalctl -u holdfast-switch` says by whom.",
        resolution="Run `holdfast recover`: it finishes the change or takes it back; every other command does so first, too.",
    )
