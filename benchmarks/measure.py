"""Measuring: ours and a peer alternate in one run, medians of at least three, peak memory of the whole process tree."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.memory import Watch

ROOT = Path(__file__).resolve().parents[1]
HOLDFAST = str(ROOT / ".venv" / "bin" / "holdfast")

_SHORT_SECONDS = 2.0


@dataclass(frozen=True)
class Sample:
    """One measured run, or the median of several."""

    seconds: float
    """Wall clock."""
    peak_kb: int
    """Most that all processes of the tree held at once (:class:`benchmarks.memory.Watch`), in KiB; 0 where it was not seen."""


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
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: Path | None = None,
) -> Callable[[], Sample]:
    """A measurement of one run of a program. Its standard output goes to ``output``, else nowhere.

    Looking at a program that runs for milliseconds slows it by a tenth: of such only the first run is watched.

    Raises:
        RuntimeError: (when measured) it failed; with the end of what it said on standard error.
    """

    known_kb: int | None = None

    def once() -> Sample:
        nonlocal known_kb
        errors = os.memfd_create("errors")
        began = time.perf_counter()
        child = os.fork()
        if child == 0:
            try:
                os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
                os.dup2(os.open(output or "/dev/null", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), 1)
                os.dup2(errors, 2)
                if cwd is not None:
                    os.chdir(cwd)
                os.execvpe(argv[0], list(argv), {**os.environ, **(env or {})})
            finally:
                os._exit(127)
        watch = Watch(child) if known_kb is None else None
        _, outcome = os.waitpid(child, 0)
        seconds = time.perf_counter() - began
        peak_kb = watch.stop() if watch else known_kb or 0
        if seconds < _SHORT_SECONDS:
            known_kb = peak_kb
        with os.fdopen(errors, "rb") as told:
            told.seek(0)
            if outcome != 0:
                said = told.read().decode(errors="replace")[-2000:]
                raise RuntimeError(
                    f"{' '.join(argv)}: exit code {os.waitstatus_to_exitcode(outcome)}\n{said}"
                )
        return Sample(seconds, peak_kb)

    return once


def after(prepare: Callable[[], object], subject: Callable[[], Sample]) -> Callable[[], Sample]:
    """The same measurement, with something to do before each that is not measured. Nothing is left to be written."""

    def once() -> Sample:
        prepare()
        os.sync()
        return subject()

    return once


def alternate(*subjects: Callable[[], Sample], rounds: int = 3) -> tuple[Sample, ...]:
    """Run the subjects in turn, ``rounds`` times, and return each one's median."""
    samples: list[list[Sample]] = [[] for _ in subjects]
    for _ in range(rounds):
        for number, subject in enumerate(subjects):
            samples[number].append(subject())
    return tuple(_median(found) for found in samples)


def _median(samples: Sequence[Sample]) -> Sample:
    return Sample(
        statistics.median(sample.seconds for sample in samples),
        round(statistics.median(sample.peak_kb for sample in samples)),
    )
