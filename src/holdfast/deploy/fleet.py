"""Working on many machines: several at a time, in waves, and no further when too many failed. Knows nothing of machines."""

from __future__ import annotations

import contextvars
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Generic, TypeVar

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.deploy.results import HostResult

T = TypeVar("T")
PARALLEL = 10


@dataclass(frozen=True)
class Batch:
    """How many machines make a wave: a number, or a part of all."""

    number: int
    percent: bool = False

    def size(self, total: int) -> int:
        """At least one."""
        return max(1, total * self.number // 100) if self.percent else self.number


def parse_batch(text: str) -> Batch:
    """``5`` or ``10%``.

    Raises:
        HoldfastError: it is neither.
    """
    match = re.fullmatch(r"([0-9]{1,6})(%?)", text.strip())
    number = int(match[1]) if match else 0
    if match is None or number == 0 or (match[2] and number > 100):
        raise HoldfastError(
            f"{text!r} is no size of a batch",
            resolution="Write a number of machines, such as 5, or a part of all, such as 10%.",
        )
    return Batch(number, bool(match[2]))


def waves(items: Sequence[T], batch: Batch | None) -> tuple[tuple[T, ...], ...]:
    """``items`` in order, cut into waves; without ``batch`` all in one."""
    size = batch.size(len(items)) if batch else max(1, len(items))
    return tuple(tuple(items[start : start + size]) for start in range(0, len(items), size))


@dataclass(frozen=True)
class Policy:
    """How far to go."""

    parallel: int = PARALLEL
    batch: Batch | None = None
    max_failures: int | None = None
    """No machine is begun once more than so many failed. None: 0 between waves, and no limit within one."""

    def stops(self, failures: int, *, between_waves: bool) -> bool:
        if self.max_failures is not None:
            return failures > self.max_failures
        return between_waves and failures > 0


class Fleet(Generic[T]):
    """One command on many machines."""

    def __init__(
        self,
        work: Callable[[T], HostResult],
        skip: Callable[[T], HostResult],
        *,
        policy: Policy,
        begun: Callable[[T], None],
        ended: Callable[[HostResult], None],
        abandon: Callable[[], None],
    ) -> None:
        """``work`` returns failures and raises nothing; ``skip`` makes the result of what was not begun.

        ``abandon`` lets ``work`` end soon wherever it is under way: the whole is interrupted. Calls of ``begun`` and ``ended``
        never overlap.
        """
        self._work, self._skip, self._policy = work, skip, policy
        self._begun, self._ended, self._abandon = begun, ended, abandon
        self._failures = 0
        self._interrupted = False
        self._lock = threading.Lock()

    def run(self, items: Sequence[T]) -> tuple[HostResult, ...]:
        """Every item's result, in the order of ``items``."""
        results: list[HostResult] = []
        for number, wave in enumerate(waves(items, self._policy.batch)):
            if number and self._policy.stops(self._failures, between_waves=True):
                results += [self._skipped(item) for item in wave]
            else:
                results += self._run_wave(wave)
        return tuple(results)

    def _run_wave(self, wave: Sequence[T]) -> list[HostResult]:
        results: dict[int, HostResult] = {}
        with ThreadPoolExecutor(max(1, min(self._policy.parallel, len(wave))), "host") as pool:
            futures: dict[Future[HostResult], int] = {}
            try:
                for place, item in enumerate(wave):
                    futures[pool.submit(contextvars.copy_context().run, self._one, item)] = place
                for future in as_completed(futures):
                    results[futures[future]] = future.result()
            except BaseException:
                self._interrupted = True
                pool.shutdown(wait=False, cancel_futures=True)
                self._abandon()
                raise
        return [results[place] for place in range(len(wave))]

    def _one(self, item: T) -> HostResult:
        with self._lock:
            stopped = self._policy.stops(self._failures, between_waves=False)
        if stopped:
            return self._skipped(item)
        with self._lock:
            self._begun(item)
        result = self._work(item)
        with self._lock:
            self._failures += not result.fine
            if not self._interrupted:  # else it is not known what becomes of it
                self._ended(result)
        return result

    def _skipped(self, item: T) -> HostResult:
        result = self._skip(item)
        with self._lock:
            self._ended(result)
        return result
