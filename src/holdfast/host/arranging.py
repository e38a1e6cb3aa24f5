"""The steps of a change in their order: what is done before, between and after the change of files.

What is undone runs in reverse. So whatever has to happen *after* the old files are back stands *before* them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from holdfast.base.digests import Digest
from holdfast.host.actions import PutFile, PutLink, Remove
from holdfast.host.live import Live
from holdfast.host.nodes import Absent, File, Node
from holdfast.host.plan import Plan
from holdfast.host.settings import TMPFILES, plan_modules, plan_sysctl, read_modules, read_sysctl
from holdfast.host.state import State
from holdfast.host.steps import (
    ChangeFiles,
    CreateTmpfiles,
    ProbeHealth,
    ReloadManager,
    RunHooks,
    RunTasks,
    RunUnits,
    Step,
    UnitJob,
)
from holdfast.host.systemd import UnitState
from holdfast.host.tasks import check_tasks, plan_tasks
from holdfast.host.transitions import UnitFileChange, UnitPlan, plan_units
from holdfast.host.units import SYSTEM
from holdfast.manifest.model import Manifest, Task

_RELOADED = (
    f"{SYSTEM}/",
    "/etc/systemd/system-generators/",
    "/etc/systemd/system.conf",
    "/etc/systemd/system.control/",
    "/etc/fstab",
    "/etc/crypttab",
)
"""What systemd reads when it is told to read everything anew: units, and what generators make units of."""


@dataclass(frozen=True)
class Surroundings:
    """What must be known of a machine that runs, beside its files."""

    states: Mapping[str, UnitState] | None = None
    """Of its units; None where no systemd runs."""
    unit_changes: tuple[UnitFileChange, ...] = ()
    sysctl: Mapping[str, str | None] = field(default_factory=lambda: {})
    modules: frozenset[str] = frozenset()
    done: Mapping[str, bool] = field(default_factory=lambda: {})
    """Tasks with a check of their own, and what it said."""


def read_surroundings(
    live: Live, plan: Plan, state: State | None, manifest: Manifest | None, read: Callable[[Digest], bytes]
) -> Surroundings | None:
    """Look at a machine; None where it does not run. ``read`` gives content by digest: what is to be there, and what is there.

    Raises:
        HoldfastError: systemd does not answer, or content is missing.
    """
    if not live.running:
        return None
    names = {*(manifest.sysctl if manifest else ()), *(state.sysctl if state else ())}
    return Surroundings(
        live.systemd.states() if live.systemd else None,
        _unit_changes(live, plan, read) if live.systemd else (),
        read_sysctl(sorted(names), live) if names else {},
        read_modules(live) if manifest and manifest.kernel_modules else frozenset(),
        check_tasks(manifest.tasks) if manifest else {},
    )


def _unit_changes(live: Live, plan: Plan, read: Callable[[Digest], bytes]) -> tuple[UnitFileChange, ...]:
    changes: list[UnitFileChange] = []
    for action in plan.actions:
        if isinstance(action, (PutFile, PutLink, Remove)) and action.path.startswith(f"{SYSTEM}/"):
            after: Node = Absent() if isinstance(action, Remove) else action.node
            text = read(after.digest).decode(errors="replace") if isinstance(after, File) else ""
            found = live.root.read(action.path) if isinstance(action.before, File) else None
            before = found.decode(errors="replace") if found else ""
            changes.append(UnitFileChange(action.path, action.before, after, before, text))
    return tuple(changes)


@dataclass(frozen=True)
class Arranged:
    """A plan with its steps around it."""

    plan: Plan
    steps: tuple[Step, ...]
    """All but the last, which records."""
    recording: bool = False
    """The state has something new even where no step is needed."""


def arrange(
    plan: Plan,
    around: Surroundings | None,
    *,
    links: Mapping[str, str],
    state: State | None,
    manifest: Manifest | None,
    previous: Manifest | None,
    jobs: tuple[UnitJob, ...] = (),
    files_only: bool = False,
) -> Arranged:
    """Put the steps in order (pure).

    ``around`` is None where nothing runs. ``links``: those in /etc/systemd/system. ``jobs``: what changed packages want of units.
    ``files_only`` leaves everything but files to the next boot.
    """
    before: list[Step] = [step for step in plan.secrets if step.when == "undo"]
    secrets = [step for step in plan.secrets if step.when == "do"]
    files: list[Step] = [*([ChangeFiles(plan.actions)] if plan.actions else []), *secrets]
    if files_only or around is None:
        return Arranged(plan, (*before, *files))
    settings, tasks, new_state = _beside_files(plan, around, state, manifest)
    units = UnitPlan()
    if around.states is not None:
        units = plan_units(
            around.unit_changes,
            declared_before=previous.units if previous else {},
            declared_after=manifest.units if manifest else {},
            states=around.states,
            links=links,
        )
        units = replace(units, start=_with_jobs(units, jobs))
    recording = new_state != plan.state
    plan = replace(plan, state=new_state, notes=(*plan.notes, *units.notes))
    known: Mapping[str, str] = state.tmpfiles if state else {}
    made = {path: content for path, content in plan.state.tmpfiles.items() if path not in known}
    middle = _around_files(plan, around, units, before, files, settings, made)
    middle += [tasks] if tasks else []
    if not middle:
        return Arranged(plan, (), recording)
    states = around.states or {}
    failed = tuple(sorted(name for name, one in states.items() if one.active == "failed"))
    return Arranged(plan, (*_before(manifest), *middle, *_after(manifest, failed)), recording)


def _beside_files(
    plan: Plan, around: Surroundings, state: State | None, manifest: Manifest | None
) -> tuple[list[Step], RunTasks | None, State]:
    """What the kernel is told, the tasks that are due, and the state with a record of both."""
    given: Mapping[str, str] = state.sysctl if state else {}
    ran: Mapping[str, Task] = state.tasks if state else {}
    sysctl, ours = plan_sysctl(manifest.sysctl if manifest else {}, given, around.sysctl)
    modules = plan_modules(manifest.kernel_modules, around.modules) if manifest else None
    tasks, have_run = plan_tasks(manifest.tasks if manifest else {}, ran, around.done)
    settings: list[Step] = [step for step in (modules, sysctl) if step is not None]
    return settings, tasks, replace(plan.state, sysctl=ours, tasks=have_run)


def _with_jobs(units: UnitPlan, jobs: tuple[UnitJob, ...]) -> tuple[UnitJob, ...]:
    """The jobs of changed files, and those of changed packages for other units."""
    known = {job.unit for job in units.start}
    return (*units.start, *(job for job in jobs if job.unit not in known))


def _around_files(
    plan: Plan,
    around: Surroundings,
    units: UnitPlan,
    before: list[Step],
    files: list[Step],
    settings: list[Step],
    made: Mapping[str, str],
) -> list[Step]:
    paths = [action.path for action in plan.actions]
    reload = around.states is not None and any(path.startswith(_RELOADED) for path in paths)
    tmpfiles = TMPFILES in paths
    # One step: whatever was stopped has to run again, also where the run ends before the next step.
    steps: list[Step] = [RunUnits(units.stop, units.back)] if units.stop or units.back else []
    steps += [ReloadManager("undo")] if reload else []
    steps += [CreateTmpfiles("undo")] if tmpfiles else []
    steps += [*before, *files]
    steps += [ReloadManager("do")] if reload else []
    steps += settings
    steps += [CreateTmpfiles("do", made)] if tmpfiles else []
    steps += [RunUnits(units.start, units.start_undo)] if units.start else []
    return steps


def _before(manifest: Manifest | None) -> list[Step]:
    return [RunHooks(manifest.before_switch, "before")] if manifest and manifest.before_switch else []


def _after(manifest: Manifest | None, failed: tuple[str, ...]) -> list[Step]:
    if manifest is None:
        return []
    hooks: list[Step] = [RunHooks(manifest.after_switch, "after")] if manifest.after_switch else []
    return [*hooks, ProbeHealth(manifest.health, failed)]
