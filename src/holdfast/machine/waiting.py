"""Deadlines that know what they wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass

_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.25


class NotInTime(HoldfastError):
    """What was waited for did not happen before its deadline."""


@dataclass(frozen=True)
class Deadline:
    """A point in time (of the monotonic clock) and the sentence for missing it."""

    waiting_for: str
    """Completes "gave up waiting for ...": ``nginx.service of web``."""
    seconds: float
    at: float
    evidence: Callable[[], str]
    """The last lines of whatever tells why, fetched only when they are needed."""

    @classmethod
    def after(cls, seconds: float, waiting_for: str, evidence: Callable[[], str]) -> Deadline:
        return cls(waiting_for, seconds, time.monotonic() + seconds, evidence)

    @property
    def left(self) -> float:
        """Seconds until the deadline, never negative."""
        return max(0.0, self.at - time.monotonic())

    def missed(self, last_seen: str = "") -> NotInTime:
        """The error to raise; ``last_seen`` is the state at the end."""
        return NotInTime(
            f"gave up waiting for {self.waiting_for} after {self.seconds:g} seconds",
            details="\n".join(part for part in (last_seen, self.evidence()) if part),
            resolution="If it only needs longer, give a larger timeout=.",
        )

    def attempts(self) -> Generator[None]:
        """One turn at once, then more with pauses from 10 to 250 ms, until the deadline; for what the kernel announces to nobody."""
        pause = _FIRST_PAUSE
        while True:
            yield
            if self.left == 0:
                return
            time.sleep(min(pause, self.left))
            pause = min(pause * 1.5, _LONGEST_PAUSE)
