"""Calling a function in a forked child without network, environment or stdout, and telling what went wrong in it.

What crosses the pipe is JSON, never pickles: nothing that user code computes is executed in the parent.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import NoReturn, TypeVar, cast

from holdfast.base.codec import JSON
from holdfast.base.environment import BASE_ENVIRONMENT
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.project.isolation import Isolation, die_with_parent, isolate

T = TypeVar("T")
_GRACE_SECONDS = 3.0


class DeadlineExceeded(BaseException):
    """Raised in the child where it is when its time is up; no ``except Exception`` of user code swallows it."""


@dataclass(frozen=True)
class Answer:
    """What the child returned, and how it was cut off."""

    value: JSON
    isolation: Isolation


def call_isolated(function: Callable[[], JSON], *, timeout: float, what: str) -> Answer:
    """Run ``function`` in a forked child and return what it returns.

    ``timeout`` is in seconds. ``what`` names the work in errors ("evaluating systems.py").

    Raises:
        HoldfastError: what the child raised, or how it died: a signal, an exit, lack of memory, lack of time.
    """
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(function, writing, timeout, what)
    os.close(writing)
    try:
        data, in_time = _read_all(reading, timeout + _GRACE_SECONDS)
    except BaseException:
        _kill(child)
        raise
    finally:
        os.close(reading)
    if not in_time:
        _kill(child)
        raise _too_slow(what, timeout, "")
    _, status = os.waitpid(child, 0)
    return _read_answer(data, os.waitstatus_to_exitcode(status), what)


def _read_all(descriptor: int, seconds: float) -> tuple[bytes, bool]:
    """Everything until the other end closes, and whether that happened in time."""
    deadline = time.monotonic() + seconds
    parts: list[bytes] = []
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return b"", False
        part = os.read(descriptor, 1 << 20)
        if not part:
            return b"".join(parts), True
        parts.append(part)


def _kill(child: int) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def _read_answer(data: bytes, status: int, what: str) -> Answer:
    if status != 0 or not data:
        if status == -signal.SIGINT:
            raise KeyboardInterrupt
        how = (
            f"was killed by {signal.Signals(-status).name}"
            if status < 0
            else f"ended with exit code {status}"
        )
        hint = " The kernel does that when memory runs out." if status == -signal.SIGKILL else ""
        raise HoldfastError(
            f"the process {what} {how}",
            resolution=f"Look for os._exit, os.kill or a crashing C extension in the definition.{hint} `--in-process` runs it under a debugger.",
        )
    answer = cast("dict[str, JSON]", json.loads(data))
    if "error" in answer:
        error = cast("dict[str, str]", answer["error"])
        raise HoldfastError(error["brief"], details=error["details"], resolution=error["resolution"])
    return Answer(answer["value"], Isolation(answer["isolation"]))


def _too_slow(what: str, timeout: float, where: str) -> HoldfastError:
    return HoldfastError(
        f"{what} did not finish within {timeout:g} seconds",
        details=where,
        resolution="Evaluation only describes: move waiting, downloading and long computing out of the definition.",
    )


def _be_child(function: Callable[[], JSON], writing: int, timeout: float, what: str) -> NoReturn:
    """Everything the child does. Never returns into the caller's stack."""
    status = 1
    try:
        die_with_parent()
        gc.disable()  # short-lived: collecting costs more than it frees
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, _on_deadline)
        isolation = isolate()
        _scrub()
        signal.setitimer(signal.ITIMER_REAL, timeout)
        try:
            answer: dict[str, object] = {"value": function(), "isolation": isolation.value}
        except HoldfastError as error:
            answer = {"error": _as_data(error)}
        except DeadlineExceeded as error:
            import traceback

            where = "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)[-3:]))
            answer = {"error": _as_data(_too_slow(what, timeout, f"It was here:\n{where.rstrip()}"))}
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        _write_all(writing, json.dumps(answer).encode())
        status = 0
    except BaseException:
        import traceback

        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _on_deadline(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise DeadlineExceeded


def _scrub() -> None:
    """stdin closed, stdout onto stderr, and nothing of the person's environment."""
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    # Fresh objects: the inherited ones may be locked by a thread that does not exist here.
    sys.stdout = sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    os.environ.clear()
    os.environ.update(BASE_ENVIRONMENT)


def _as_data(error: HoldfastError) -> dict[str, str]:
    return {"brief": error.brief, "details": error.details, "resolution": error.resolution}


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
