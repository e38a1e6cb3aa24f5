"""The order in which jobs are handed to systemd (pure).

It keeps to After= and Before= among the jobs that it knows of when it begins one. They come to it one by one, and it begins at
once: so what others come after is handed over first, and is stopped last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holdfast.host.steps import UnitJob
from holdfast.host.units.settings import Settings, started_service

_RANKS = {"slice": 0, "swap": 1, "mount": 1, "automount": 2, "socket": 3, "path": 4, "timer": 5, "target": 7}
_SERVICE = 6


def after_of(texts: Mapping[str, Settings]) -> Mapping[str, set[str]]:
    """Which units each unit comes after, as far as the texts that are known say so."""
    found: dict[str, set[str]] = {}
    for unit, settings in texts.items():
        for value in settings.get(("Unit", "After"), ()):
            found.setdefault(unit, set()).update(value.split())
        for value in settings.get(("Unit", "Before"), ()):
            for other in value.split():
                found.setdefault(other, set()).add(unit)
        service = started_service(unit, settings) if unit.endswith(".socket") else None
        if service is not None:
            found.setdefault(service, set()).add(unit)
    return found


def in_order(jobs: Iterable[UnitJob], after: Mapping[str, set[str]]) -> tuple[UnitJob, ...]:
    """Jobs as they are to be begun; the same order turned round is the one to stop in. A circle is cut somewhere."""
    waiting = {job.unit: job for job in sorted(jobs, key=_rank)}
    done: list[UnitJob] = []

    def begin(unit: str) -> None:
        job = waiting.pop(unit, None)
        if job is not None:
            for other in sorted(after.get(unit, ())):
                begin(other)
            done.append(job)

    for unit in list(waiting):
        begin(unit)
    return tuple(done)


def _rank(job: UnitJob) -> tuple[int, str]:
    return _RANKS.get(job.unit.rpartition(".")[2], _SERVICE), job.unit
