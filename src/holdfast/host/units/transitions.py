"""What units must do when their files change: nothing, reload, restart, stop and start; each with its reason (pure).

The meanings are those of NixOS's switch (nixos/modules/system/activation), but for these: a unit that can reload is restarted
all the same when what changed needs it, a unit that did not run is not started because its file changed, and a service that a
socket starts keeps that socket, with the connections that wait there, while it is restarted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Literal

from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Absent, Symlink
from holdfast.host.steps import UnitJob
from holdfast.host.units import settings as unit_settings
from holdfast.host.units.declared import template_of
from holdfast.host.units.job_order import after_of, in_order
from holdfast.host.units.own import OWN_UNITS
from holdfast.host.units.settings import OnChange
from holdfast.host.units.spared import is_system_mount, spared
from holdfast.host.units.states import NOWHERE, Relations, UnitState
from holdfast.host.units.touched import Touched, UnitFileChange, is_mask, read_touched
from holdfast.manifest.model import Unit

_NEVER_RESTARTED = frozenset({"target", "slice", "scope", "device"})
_REPLACED = frozenset({"What", "Type", "Where"})
"""Settings of a mount that no remount can change."""
Need = Literal["nothing", "reload", "restart", "stop-start"]


@dataclass(frozen=True)
class UnitPlan:
    stop: tuple[UnitJob, ...] = ()
    """While their old files are still there."""
    back: tuple[UnitJob, ...] = ()
    """With the old files back: what runs again then as it did before."""
    start: tuple[UnitJob, ...] = ()
    start_undo: tuple[UnitJob, ...] = ()
    """While the new files are still there: stops what did not run before."""
    notes: tuple[str, ...] = ()

    def of_user(self, user: str) -> UnitPlan:
        """The same jobs for the manager of a user."""

        def theirs(jobs: tuple[UnitJob, ...]) -> tuple[UnitJob, ...]:
            return tuple(replace(job, user=user) for job in jobs)

        notes = tuple(f"of user {user}: {note}" for note in self.notes)
        return UnitPlan(
            theirs(self.stop), theirs(self.back), theirs(self.start), theirs(self.start_undo), notes
        )


@dataclass(frozen=True)
class ManagerFacts:
    """What one manager says of its units."""

    states: Mapping[str, UnitState]
    """By their first names."""
    aliases: Mapping[str, str] = field(default_factory=lambda: {})
    """Further names of units that are loaded, of those that a change names."""
    relations: Mapping[str, Relations] = field(default_factory=lambda: {})
    """Of those units that :func:`holdfast.host.units.touched.to_ask` names."""
    links: Mapping[str, str] = field(default_factory=lambda: {})
    """Every link in the directory for units that is there before the change."""
    own: str = ""
    """The unit that this program runs in."""


def plan_units(
    changes: Sequence[UnitFileChange],
    facts: ManagerFacts,
    *,
    declared_before: Mapping[str, Unit],
    declared_after: Mapping[str, Unit],
) -> UnitPlan:
    """The jobs around a change of unit files."""
    touched, grouped = read_touched(changes, facts.aliases)
    work = _Transitions(declared_before, declared_after, facts, touched)
    for name in sorted({*touched, *declared_before, *declared_after}):
        work.unit(name, touched.get(name, Touched()))
    work.bring_up()
    for directory, paths in grouped.items():
        work.note_group(directory, paths)
    return work.result()


class _Transitions:
    def __init__(
        self,
        before: Mapping[str, Unit],
        after: Mapping[str, Unit],
        facts: ManagerFacts,
        touched: Mapping[str, Touched],
    ) -> None:
        self.before, self.after, self.facts, self.touched = before, after, facts, touched
        self.stop: dict[str, UnitJob] = {}
        self.back: dict[str, UnitJob] = {}
        self.start: dict[str, UnitJob] = {}
        self.start_undo: dict[str, UnitJob] = {}
        self.notes: list[str] = []
        self._candidates: list[tuple[str, Sequence[str], str]] = []
        """What is to start once one of the units that want it runs, and why."""
        self._on_demand: set[str] = set()
        """Services that are stopped and not started: traffic on their sockets does that."""

    def state(self, unit: str) -> UnitState:
        return self.facts.states.get(self.facts.aliases.get(unit, unit), NOWHERE)

    def unit(self, name: str, touched: Touched) -> None:
        if "@." not in name:
            self._one(name, name, touched)
            return
        for instance in sorted(unit for unit in self.facts.states if template_of(unit) == name):
            if not self._has_own_file(instance) and not self._is_connection(instance):
                self._one(instance, name, touched)

    def _has_own_file(self, instance: str) -> bool:
        declared = self.after.get(instance)
        return declared is not None and declared.text is not None

    def _is_connection(self, instance: str) -> bool:
        """Whether it serves one connection of a socket with Accept=yes: nothing can start it again."""
        socket = instance.partition("@")[0] + ".socket"
        return instance.endswith(".service") and socket in self.facts.states

    def _one(self, unit: str, declared: str, touched: Touched) -> None:
        if unit in OWN_UNITS or unit == self.facts.own:
            return
        before, after = self.before.get(declared), self.after.get(declared)
        going = self._going(unit, touched, before, after)
        need, reason, asked = _need(touched, before, after)
        why = spared(unit)
        running = self.state(unit).runs
        self._pull(unit, touched)
        if why is not None and running and (going or (need in ("restart", "stop-start"))):
            kind = unit.rpartition(".")[2]
            if going or (not (asked and why.unless_asked) and kind != "mount"):
                told = f"{going or reason}; it is left running, since {why.reason}"
                self.notes.append(f"{unit}: {told}. It takes effect at the next boot")
                return
        if going:
            self._take_down(unit, touched, going, before)
        elif _is_unmasked(touched, before, after):
            known = self.facts.relations.get(unit, Relations())
            wanting = [*known.wanted_by, *self._linked_from(unit), *touched.wanted_by]
            self._candidates.append((unit, wanting, "no longer masked, and wanted"))
        elif running:
            self._change(unit, touched, need, reason)
        elif self.state(unit).active == "failed" and need != "nothing":
            self._revive(unit, reason)
        else:
            self._candidates.append((unit, touched.wanted_by, "newly wanted"))

    def _linked_from(self, unit: str) -> list[str]:
        """Units that want ``unit`` by a link."""
        parts = [path.rpartition("/") for path in self.facts.links]
        names = [directory.rpartition("/")[2] for directory, _, name in parts if name == unit]
        return [
            name.rpartition(".")[0] for name in names if name.endswith((".wants", ".requires", ".upholds"))
        ]

    def _pull(self, unit: str, touched: Touched) -> None:
        """What a unit wants by its text since now starts with it: at once, where it runs already."""
        if not unit.endswith(".target"):
            return  # others are restarted then, which starts it
        for name in sorted(unit_settings.pulled(touched.after) - unit_settings.pulled(touched.before)):
            self._candidates.append((name, (unit,), "newly wanted"))

    def _going(self, unit: str, touched: Touched, before: Unit | None, after: Unit | None) -> str:
        """Why the unit is not to run any more, or nothing."""
        fragment = touched.fragment
        if fragment is not None:
            if is_mask(fragment.after):
                return "masked"
            if isinstance(fragment.after, Symlink) and fragment.is_alias and unit in self.facts.states:
                return f"its name is now another one of {fragment.after.target.rpartition('/')[2]}"
            lost = isinstance(fragment.after, Absent) and fragment.shadowed is None
            if lost and not fragment.is_alias and not is_mask(fragment.before):
                return "no longer declared"
        if after is not None and after.enable is False and (before is None or before.enable is not False):
            return "disabled"
        return self._unwanted(unit, touched)

    def _unwanted(self, unit: str, touched: Touched) -> str:
        """Why a unit that nothing wants any more goes: a link that is ours went, and nothing else has it run."""
        lost = [name for name in touched.unwanted_by if self.state(name).runs]
        known = self.facts.relations.get(unit)
        if not lost or known is None or known.on_bus:
            return ""
        names = {self.facts.aliases.get(name, name) for name in touched.unwanted_by}
        left = {*known.wanted_by, *known.triggered_by, *touched.wanted_by} - names
        return "" if any(self.state(name).runs for name in left) else f"no longer wanted by {lost[0]}"

    def _take_down(self, unit: str, touched: Touched, reason: str, before: Unit | None) -> None:
        state = self.state(unit)
        if state.active == "failed":
            self.stop[unit] = UnitJob(unit, "stop", reason)  # it is forgotten that it failed
        if not state.runs:
            return
        stays = before is not None and not before.stop_on_removal
        if (stays or unit_settings.is_no(touched.before, "X-StopOnRemoval")) and reason.startswith(
            "no longer"
        ):
            self.notes.append(f"{unit} is {reason}, and is left running as its definition asks")
            return
        self._job_stop(unit, reason)

    def _job_stop(self, unit: str, reason: str) -> None:
        self.stop[unit] = UnitJob(unit, "stop", reason)
        self.back[unit] = UnitJob(unit, "start", "it ran before")

    def _revive(self, unit: str, reason: str) -> None:
        if unit.rpartition(".")[2] not in _NEVER_RESTARTED:
            self.start[unit] = UnitJob(unit, "restart", f"it had failed, and {reason}")
            self.start_undo[unit] = UnitJob(unit, "stop", "it had failed before")

    def bring_up(self) -> None:
        """Start what is wanted by something that runs, or that is started itself: as long as there is more of it."""
        left = [one for one in self._candidates if not self.state(one[0]).runs]
        while True:
            waiting: list[tuple[str, Sequence[str], str]] = []
            for unit, wanting, reason in left:
                running = [name for name in wanting if self._will_run(name)]
                if running:
                    self.start[unit] = UnitJob(unit, "start", f"{reason} by {running[0]}")
                    self.start_undo[unit] = UnitJob(unit, "stop", "it did not run before")
                    self._free(unit)
                else:
                    waiting.append((unit, wanting, reason))
            if len(waiting) == len(left):
                return
            left = waiting

    def _free(self, socket: str) -> None:
        """A socket cannot start while its service runs without it."""
        touched = self.touched.get(socket)
        if touched is None or not socket.endswith(".socket"):
            return
        service = unit_settings.started_service(socket, touched.after)
        if service is not None:
            self._interrupt(service, f"{socket}, which is new, starts it")

    def _will_run(self, unit: str) -> bool:
        if unit in self.start:
            return True
        return self.state(unit).runs and self.facts.aliases.get(unit, unit) not in self.stop

    def _change(self, unit: str, touched: Touched, need: Need, reason: str) -> None:
        kind = unit.rpartition(".")[2]
        if need == "nothing" and reason:
            self.notes.append(f"{unit} is left running as its definition asks, although {reason}")
        if need == "nothing" or kind in _NEVER_RESTARTED:
            return
        if kind == "mount":
            self._mount(unit, touched, reason)
        elif kind == "swap":
            self.notes.append(f"{unit}: {reason}; it stays in use as it is until it is next switched on")
        elif kind == "automount":
            mount = unit.removesuffix(".automount") + ".mount"
            self._interrupt(mount, reason)
            self._stop_and_start(unit, reason)
        elif need == "reload":
            self._reload(unit, reason)
        elif kind == "socket":
            for service in self._services(unit, touched):
                self._interrupt(service, f"its socket changes: {reason}")
            self._stop_and_start(unit, reason)
        elif need == "stop-start":
            self._stop_and_start(unit, reason)
        else:
            self.start[unit] = UnitJob(unit, "restart", reason)
            self.back[unit] = UnitJob(unit, "restart", "its old files are back")

    def _reload(self, unit: str, reason: str) -> None:
        self.start[unit] = UnitJob(unit, "reload", reason)
        self.back[unit] = UnitJob(unit, "reload", "its old files are back")

    def _mount(self, unit: str, touched: Touched, reason: str) -> None:
        """Options are changed by mounting it once more, mount(8) -o remount, which nothing that uses it notices."""
        names = set(touched.differences)
        if names & _REPLACED and is_system_mount(unit):
            self.notes.append(
                f"{unit}: {reason}; the system itself runs from it: that waits for the next boot"
            )
        elif names & _REPLACED:
            self._stop_and_start(unit, reason)
        elif not names or "Options" in names:
            self._reload(unit, reason)

    def _services(self, socket: str, touched: Touched) -> list[str]:
        """The services that a socket which runs starts, but for those that have one connection each."""
        known = self.facts.relations.get(socket)
        if known is not None:
            return [name for name in known.triggers if not self._is_connection(name)]
        service = unit_settings.started_service(socket, touched.before)
        return [] if service is None else [service]

    def _stop_and_start(self, unit: str, reason: str) -> None:
        self._job_stop(unit, reason)
        self.start[unit] = UnitJob(unit, "start", reason)

    def _interrupt(self, unit: str, reason: str) -> None:
        """Stop what holds the place of another unit; it starts again by that one, and by itself only if others want it."""
        if not self.state(unit).runs or unit in self.stop or unit in OWN_UNITS or unit == self.facts.own:
            return
        self._job_stop(unit, reason)
        known = self.facts.relations.get(unit, Relations())
        if any(self.state(name).runs for name in known.wanted_by):
            self.start[unit] = UnitJob(unit, "start", reason)
        else:
            self._on_demand.add(unit)

    def note_group(self, directory: str, paths: Sequence[str]) -> None:
        """Drop-ins for many units at once, as ``service.d``: nothing is restarted because of them, as NixOS has it."""
        stem = directory.removesuffix(".d")
        prefix, _, kind = stem.rpartition(".")
        running = [
            name
            for name, state in self.facts.states.items()
            if state.runs and name.startswith(prefix) and name.endswith(f".{kind}")
        ]
        which = f"every unit {prefix}*.{kind}" if prefix else f"every {kind}"
        told = f"{unit_settings.listing(sorted(paths))} changes {which}"
        if running:
            told += f"; the {len(running)} that run take it up when they are next restarted"
        self.notes.append(told)

    def result(self) -> UnitPlan:
        for unit in self.stop:  # a service that was stopped with its socket needs no restart of its own
            job = self.start.get(unit)
            if job is not None and unit in self._on_demand and unit not in self.start_undo:
                del self.start[unit]
            elif job is not None and job.verb != "start":
                self.start[unit] = UnitJob(unit, "start", job.reason)
        before = after_of({unit: one.before for unit, one in self.touched.items()})
        after = after_of({unit: one.after for unit, one in self.touched.items()})
        return UnitPlan(
            in_order(self.stop.values(), before)[::-1],
            in_order(self.back.values(), before),
            in_order(self.start.values(), after),
            in_order(self.start_undo.values(), after)[::-1],
            tuple(self.notes),
        )


def _is_unmasked(touched: Touched, before: Unit | None, after: Unit | None) -> bool:
    """Whether our mask goes: it may be gone already, by somebody's hand."""
    if touched.fragment is not None and is_mask(touched.fragment.before):
        return True
    return before is not None and before.masked and (after is None or not after.masked)


def _need(touched: Touched, before: Unit | None, after: Unit | None) -> tuple[Need, str, bool]:
    """What a running unit needs, why, and whether the definition asks for just that of just this unit."""
    declared = after or before
    on_change: OnChange = declared.on_change if declared is not None else "restart"
    if on_change == "restart":
        on_change = unit_settings.on_change_of(touched.after)
    names = touched.differences
    if names:
        return on_change, f"{unit_settings.listing(names)} changed", on_change != "restart"
    changed = _changed_triggers(touched, before, after, "restart_triggers", "X-Restart-Triggers")
    if changed:
        need: Need = "restart" if on_change == "reload" else on_change
        return need, f"its trigger {changed} changed", True
    changed = _changed_triggers(touched, before, after, "reload_triggers", "X-Reload-Triggers")
    return ("reload", f"its trigger {changed} changed", True) if changed else ("nothing", "", False)


def _changed_triggers(
    touched: Touched, before: Unit | None, after: Unit | None, option: str, key: str
) -> str:
    """The first trigger that is another one now, or nothing. A unit that nobody declares has none."""
    old: Iterable[str] = getattr(before, option) if before is not None else ()
    new: Iterable[str] = getattr(after, option) if after is not None else ()
    found = set(old) ^ set(new)
    for section in ("Unit", "Service"):
        found |= set(touched.before.get((section, key), ())) ^ set(touched.after.get((section, key), ()))
    return min(found).partition(" ")[0] if found else ""
