"""Long chains of options on a stack made for them, so that 4,000 links are an answer and never a crash."""

from __future__ import annotations

import _thread
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from holdfast.options.engine import Engine

    T = TypeVar("T")

STACK_BYTES = 512 * 1024 * 1024  # address space; only what is used becomes memory
RECURSION_LIMIT = 150_000  # 4,000 links of up to 37 frames; at most 3.5 KB of stack each


def on_a_big_stack(engine: Engine, work: Callable[[], T]) -> T:
    """Run ``work`` in a thread with a big stack; return or raise what it does."""
    outcome: list[Any] = []
    done = _thread.allocate_lock()
    done.acquire()

    def run() -> None:
        try:
            outcome.append(work())
        except RecursionError:
            from holdfast.options.words import chain_too_long

            outcome.extend((None, chain_too_long(engine)))
        except BaseException as error:
            outcome.extend((None, error))
        finally:
            done.release()

    limit = sys.getrecursionlimit()
    size = _thread.stack_size(STACK_BYTES)
    try:
        sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
        _thread.start_new_thread(run, ())
        done.acquire()
    finally:
        _thread.stack_size(size)
        sys.setrecursionlimit(limit)
    if len(outcome) == 2:
        raise outcome[1]
    value: T = outcome[0]
    return value
