"""Packages of a live machine, whichever its family: facts, plan, change, and the way back.

A change of packages is a transaction of its own, before any file is changed and with a record of its own::

    facts = read_package_facts(live, wanted, state, options, declared=manifest.files)
    change = plan_packages(facts, wanted, state, options)
    result = apply(change, live, state, transaction)   # raises: undo(change, live)
    ...                                                # files and units, planned anew with what packages brought
    finish(result.after)                               # once the state names the transaction
    recover(live, committed=state.transaction)         # after a crash, when files and units are as before
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from holdfast.host.live import Live
from holdfast.host.packages.apt import applying, planning, reading, services, undoing
from holdfast.host.packages.apt.facts import PackageFacts
from holdfast.host.packages.change import PackageChange, PackageOptions, PackageResult, Stale
from holdfast.host.packages.record import PackageState
from holdfast.host.packages.wanted import WantedPackages
from holdfast.host.state import State
from holdfast.host.steps import UnitJob
from holdfast.manifest.model import Manifest, Unit


def read_package_facts(
    live: Live,
    wanted: WantedPackages | None,
    state: State | None,
    options: PackageOptions,
    declared: Iterable[str],
) -> PackageFacts:
    """What there is, and what apt would do about ``wanted`` (None: nothing is). ``declared`` are the definition's paths.

    Raises:
        HoldfastError: something cannot be read.
    """
    return reading.read_package_facts(live, wanted, state, options, declared)


def plan_packages(
    facts: PackageFacts,
    wanted: WantedPackages | None,
    state: State | None,
    options: PackageOptions,
) -> PackageChange:
    """What is to happen to the packages, and everything that speaks against it (pure)."""
    recorded = state.packages if state is not None else PackageState()
    return planning.plan_packages(facts, wanted, recorded, state.holds if state is not None else (), options)


def apply(change: PackageChange, live: Live, state: State | None, transaction: str) -> PackageResult:
    """Make the change; see :func:`holdfast.host.packages.apt.applying.apply`."""
    try:
        return applying.apply(change, live, state, transaction)
    finally:
        live.reconnect()


def undo(change: PackageChange, live: Live) -> None:
    """Take the change back, also half of it; see :func:`holdfast.host.packages.apt.undoing.undo`."""
    try:
        undoing.undo(change, live)
    finally:
        live.reconnect()


def finish(after: PackageState) -> None:
    """Forget how to take the change back: the state says that it is made."""
    applying.finish(after)


def recover(live: Live, *, committed: str) -> Literal["finished", "undone"] | None:
    """After a crash: finish or undo what was under way, None if nothing was."""
    outcome = undoing.recover(live, committed=committed)
    if outcome is not None:
        live.reconnect()
    return outcome


def find_stale() -> tuple[Stale, ...]:
    """Units of this machine that still use what was replaced, whoever replaced it."""
    return services.find_stale()


def stale_jobs(stale: Iterable[Stale]) -> tuple[UnitJob, ...]:
    """Restarts of those that a restart does not harm (pure)."""
    return services.stale_jobs(stale)


def jobs_for(result: PackageResult, manifest: Manifest | None) -> tuple[UnitJob, ...]:
    """What is to be done to services because of packages, but for units that the definition does not let run (pure)."""
    return tuple(
        job for job in result.jobs if manifest is None or _may_run(job, manifest.units.get(job.unit))
    )


def _may_run(job: UnitJob, unit: Unit | None) -> bool:
    return unit is None or not (unit.masked or (unit.enable is False and job.verb == "start"))
