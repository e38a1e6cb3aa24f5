"""Measuring: ours and a peer alternate in one run, medians of at least three, peak memory of the whole process tree."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOLDFAST = str(ROOT / ".venv" / "bin" / "holdfast")


@dataclass(frozen=True)
class Sample:
    """One measured run, or the median of several."""

    seconds: float
    """Wall clock."""
    peak_kb: int
    """Largest resident set of any one process in the tree, in KiB; 0 where it was not measured."""


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    work: str
    ours: Sample
    goal: str
    """As DESIGN states it: ``<= 0.65x``, ``<= 2 s``."""
    met: bool
    bound: str
    """What bounds it: where the time goes."""
    peer: str = ""
    peer_sample: Sample | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours.seconds / self.peer_sample.seconds if self.peer_sample else None


def command(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, status: int = 0
) -> Callable[[], Sample]:
    """A measurement of one run of a program, its output thrown away.

    Raises:
        RuntimeError: (when measured) it did not exit with ``status``.
    """

    def once() -> Sample:
        began = time.perf_counter()
        child = os.fork()
        if child == 0:
            try:
                null = os.open("/dev/null", os.O_RDWR)
                for descriptor in (0, 1, 2):
                    os.dup2(null, descriptor)
                if cwd is not None:
                    os.chdir(cwd)
                os.execvpe(argv[0], list(argv), {**os.environ, **(env or {})})
            finally:
                os._exit(127)
        _, outcome, usage = os.wait4(child, 0)
        seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(outcome) != status:
            raise RuntimeError(f"{' '.join(argv)}: exit code {os.waitstatus_to_exitcode(outcome)}")
        return Sample(seconds, usage.ru_maxrss)

    return once


def alternate(
    *subjects: Callable[[], Sample], rounds: int = 3, before_each: Callable[[], None] | None = None
) -> tuple[Sample, ...]:
    """Run the subjects in turn, ``rounds`` times, and return each one's median. ``before_each`` is not measured."""
    samples: list[list[Sample]] = [[] for _ in subjects]
    for _ in range(rounds):
        for number, subject in enumerate(subjects):
            if before_each is not None:
                before_each()
            samples[number].append(subject())
    return tuple(_median(found) for found in samples)


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(sample.seconds for sample in samples),
        round(statistics.median(sample.peak_kb for sample in samples)),
    )
