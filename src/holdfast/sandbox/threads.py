"""A thread as the carrier of namespaces: they are the thread's own, and the kernel takes them back when it ends."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T], *, name: str) -> T:
    """Run ``work`` in a new thread, wait for it, and return its result or raise its exception.

    The thread sees the caller's context variables, so that its events belong to the caller's stage.
    """
    context = contextvars.copy_context()
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(context.run(work))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=body, name=name, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
