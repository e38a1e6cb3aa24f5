"""The steps of a change in their order: what is done before, between and after the change of files.

What is undone runs in reverse. So whatever has to happen *after* the old files are back stands *before* them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.host.files.tmpfiles import TMPFILES
from holdfast.host.live import Live
from holdfast.host.planning.plan import Plan
from holdfast.host.settings import plan_modules, plan_sysctl, read_modules, read_sysctl
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
from holdfast.host.tasks import check_tasks, one_by_one, plan_tasks
from holdfast.host.units.facts import ask, ask_users, logged_in, own_unit, read_unit_changes
from holdfast.host.units.lingering import plan_lingering
from holdfast.host.units.states import UnitState
from holdfast.host.units.touched import SYSTEM_PLACES, USER_PLACES, UnitFileChange
from holdfast.host.units.transitions import ManagerFacts, UnitPlan, plan_units
from holdfast.manifest.model import Manifest, Task

_RELOADED = (
    *(f"{place}/" for place in SYSTEM_PLACES),
    "/etc/systemd/system-generators/",
    "/etc/systemd/system.conf",
    "/etc/systemd/system.control/",
    "/etc/fstab",
    "/etc/crypttab",
)
"""What systemd reads when it is told to read everything anew: units, and what generators make units of."""
_RELOADED_BY_USERS = (
    *(f"{place}/" for place in USER_PLACES),
    "/etc/systemd/user-generators/",
    "/etc/systemd/user.conf",
)
_GENERATED = {
    "/etc/fstab": "/etc/fstab changes: `systemctl start local-fs.target` mounts what is new in it, or the next boot does",
    "/etc/crypttab": "/etc/crypttab changes: `systemctl start cryptsetup.target` opens what is new in it, or the next boot does",
    "/etc/systemd/system-generators/": "a generator of units changes: what it makes now starts when something wants it, or at the next boot",
}
"""Units that nobody declares are only made when systemd runs its generators, after the plan."""


@dataclass(frozen=True)
class Surroundings:
    """What must be known of a machine that runs, beside its files."""

    units: ManagerFacts | None = None
    """None where no systemd runs."""
    unit_changes: tuple[UnitFileChange, ...] = ()
    users: Mapping[str, ManagerFacts] = field(default_factory=lambda: {})
    """The managers of users that run, where something is to be done with them."""
    user_unit_changes: tuple[UnitFileChange, ...] = ()
    logged_in: frozenset[int] = frozenset()
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
    around = Surroundings(
        sysctl=read_sysctl(sorted(names), live) if names else {},
        modules=read_modules(live) if manifest and manifest.kernel_modules else frozenset(),
        done=check_tasks(manifest.tasks) if manifest else {},
    )
    if live.systemd is None:
        return around
    changes = read_unit_changes(live, plan, SYSTEM_PLACES, read)
    of_users = read_unit_changes(live, plan, USER_PLACES, read)
    units = ask(live.systemd, changes, own=own_unit())
    concerned = bool(manifest and manifest.user_units) or _starts(plan, _RELOADED_BY_USERS)
    users: Mapping[str, ManagerFacts] = ask_users(units, of_users) if concerned else {}
    return replace(
        around,
        units=units,
        unit_changes=changes,
        users=users,
        user_unit_changes=of_users,
        logged_in=logged_in(units),
    )


def _starts(plan: Plan, prefixes: tuple[str, ...]) -> bool:
    return any(action.path.startswith(prefixes) for action in plan.actions)


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
    units = _plan_units(plan, around, links, state, manifest, previous)
    units = replace(units, start=_with_jobs(units, jobs))
    recording = new_state != plan.state
    plan = replace(plan, state=new_state, notes=(*plan.notes, *units.notes))
    known: Mapping[str, str] = state.tmpfiles if state else {}
    made = {path: content for path, content in plan.state.tmpfiles.items() if path not in known}
    middle = _around_files(plan, around, units, before, files, settings, made)
    dropped, due = one_by_one(tasks)
    middle = [*dropped, *middle, *due]
    if not middle:
        return Arranged(plan, (), recording)
    states: Mapping[str, UnitState] = around.units.states if around.units else {}
    failed = tuple(sorted(name for name, one in states.items() if one.active == "failed"))
    return Arranged(plan, (*_before(manifest), *middle, *_after(manifest, failed)), recording)


def _plan_units(
    plan: Plan,
    around: Surroundings,
    links: Mapping[str, str],
    state: State | None,
    manifest: Manifest | None,
    previous: Manifest | None,
) -> UnitPlan:
    """The units of the system, the managers of users who linger, and the units of users."""
    if around.units is None:
        return UnitPlan()
    plans = [
        plan_units(
            around.unit_changes,
            replace(around.units, links=links),
            declared_before=previous.units if previous else {},
            declared_after=manifest.units if manifest else {},
        )
    ]
    uids = {name: one.uid for users in (state, plan.state) if users for name, one in users.users.items()}
    plans.append(plan_lingering(plan.actions, uids, around.units.states, around.logged_in))
    plans += [
        plan_units(
            around.user_unit_changes,
            facts,
            declared_before=previous.user_units if previous else {},
            declared_after=manifest.user_units if manifest else {},
        ).of_user(user)
        for user, facts in around.users.items()
    ]
    paths = [action.path for action in plan.actions]
    notes = [note for place, note in _GENERATED.items() if any(path.startswith(place) for path in paths)]
    return UnitPlan(
        tuple(job for one in plans for job in one.stop),
        tuple(job for one in plans for job in one.back),
        tuple(job for one in plans for job in one.start),
        tuple(job for one in plans for job in one.start_undo),
        notes=(*(note for one in plans for note in one.notes), *notes),
    )


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
    known = {job.unit for job in units.start if job.user is None}
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
    reload = around.units is not None and _starts(plan, _RELOADED)
    users = tuple(around.users) if _starts(plan, _RELOADED_BY_USERS) else ()
    tmpfiles = TMPFILES in paths
    # One step: whatever was stopped has to run again, also where the run ends before the next step.
    steps: list[Step] = [RunUnits(units.stop, units.back)] if units.stop or units.back else []
    steps += [ReloadManager("undo", users, reload)] if reload or users else []
    steps += [CreateTmpfiles("undo")] if tmpfiles else []
    steps += [*before, *files]
    steps += [ReloadManager("do", users, reload)] if reload or users else []
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
