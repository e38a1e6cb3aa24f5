"""Peak memory of a process and everything it starts, by looking often: the kernel keeps no such figure for a tree."""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from pathlib import Path

_FIRST_SECONDS = 0.004
_SELDOM_SECONDS = 0.05
_SHARE = 30
"""In the long run looking takes one part in so many of one processor."""


class Watch:
    """Adds up what the processes of a tree hold (proportional set size: shared pages count once), until :meth:`stop`.

    A process that was seen below the root stays part of the tree when its parent ends. A peak between two looks goes unseen:
    they are 4 ms apart at first, then 50 ms, and further apart where one look takes long.
    """

    def __init__(self, root: int) -> None:
        self._tree = {root}
        self._others = _processes() - {root}
        self._peak_kb = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End; the peak in KiB, 0 when the tree was gone before the first look."""
        self._done.set()
        self._thread.join()
        return self._peak_kb

    def _run(self) -> None:
        pause = _FIRST_SECONDS
        while not self._done.wait(pause):
            began = time.thread_time()
            self._grow()
            self._peak_kb = max(self._peak_kb, sum(_held_kb(process) for process in self._tree))
            cost = time.thread_time() - began
            pause = pause * 1.3 if pause < _SELDOM_SECONDS else max(_SELDOM_SECONDS, cost * _SHARE)

    def _grow(self) -> None:
        """Only processes that are new are asked for their parent: it decides to which side they belong, for good."""
        there = _processes()
        self._tree &= there
        self._others &= there
        new = {process: _parent(process) for process in there - self._tree - self._others}
        while found := {process for process, parent in new.items() if parent in self._tree} - self._tree:
            self._tree |= found
        self._others |= new.keys() - self._tree


def _processes() -> set[int]:
    return {int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit()}


def _parent(process: int) -> int:
    with suppress(OSError):
        # proc_pid_stat(5): the second field is the program's name in parentheses, which may hold any character.
        return int(Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[1])
    return 0


def _held_kb(process: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1])
    return 0
