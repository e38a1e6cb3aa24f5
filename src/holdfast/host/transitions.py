"""What units must do when their files change: nothing, reload, restart, stop and start; each with its reason (pure).

The meanings are those of NixOS's switch (nixos/modules/system/activation), but for two things: a unit that can reload is
restarted all the same when what changed needs it, and a unit that did not run is not started because its file changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from holdfast.host.nodes import Absent, File, Node, Symlink
from holdfast.host.own_units import OWN_UNITS
from holdfast.host.steps import UnitJob
from holdfast.host.systemd import UnitState
from holdfast.host.units import SYSTEM, logical_lines, template_of
from holdfast.manifest.model import Unit

_INERT = frozenset(
    {
        "AllowIsolate",
        "CollectMode",
        "Description",
        "Documentation",
        "IgnoreOnIsolate",
        "OnFailure",
        "OnFailureJobMode",
        "OnSuccess",
        "RefuseManualStart",
        "RefuseManualStop",
        "SourcePath",
        "StopWhenUnneeded",
    }
)
"""Settings of [Unit] that running units need not know: the manager reads them, and a daemon-reload is all they want."""
_NEVER_RESTARTED = frozenset({"target", "slice", "scope", "device", "swap"})
_VITAL = frozenset(
    {
        "dbus.service",
        "dbus.socket",
        "dbus-broker.service",
        "systemd-logind.service",
        "systemd-journald.service",
    }
)
"""Restarting these takes the machine's other programs down with them, or the connection that we are told over."""
_SESSIONS = ("user@", "user-runtime-dir@")
"""Instances of these are what people are logged in with."""
_VITAL_MOUNTS = (
    "-.mount",
    "usr.mount",
    "var.mount",
    "etc.mount",
    "home.mount",
    "nix.mount",
    "run.mount",
    "proc.mount",
)

_INACTIVE = UnitState("", "inactive", "dead")


@dataclass(frozen=True)
class UnitFileChange:
    """A path below /etc/systemd/system that changes, with its text where it is a file."""

    path: str
    before: Node
    after: Node
    before_text: str = ""
    after_text: str = ""


@dataclass(frozen=True)
class UnitPlan:
    stop: tuple[UnitJob, ...] = ()
    """While their old files are still there."""
    back: tuple[UnitJob, ...] = ()
    """With the old files back: what runs again then as it did before."""
    start: tuple[UnitJob, ...] = ()
    start_undo: tuple[UnitJob, ...] = ()
    """While the new files are still there: stops what did not run before."""
    reload_manager: bool = False
    notes: tuple[str, ...] = ()


@dataclass
class _Touched:
    """What happens to the files of one unit."""

    fragment: UnitFileChange | None = None
    dropins: list[UnitFileChange] = field(default_factory=lambda: [])
    wanted_by: list[str] = field(default_factory=lambda: [])
    """Units that want it from now on."""


Need = Literal["nothing", "reload", "restart", "stop-start"]


def plan_units(
    changes: Sequence[UnitFileChange],
    *,
    declared_before: Mapping[str, Unit],
    declared_after: Mapping[str, Unit],
    states: Mapping[str, UnitState],
    links: Mapping[str, str],
) -> UnitPlan:
    """The jobs around a change of unit files. ``links``: every link in /etc/systemd/system that is there before it."""
    work = _Transitions(declared_before, declared_after, states, links)
    touched = work.collect(changes)
    for name in sorted({*touched, *declared_before, *declared_after}):
        work.unit(name, touched.get(name, _Touched()))
    work.bring_up()
    return work.result(bool(changes))


class _Transitions:
    def __init__(
        self,
        before: Mapping[str, Unit],
        after: Mapping[str, Unit],
        states: Mapping[str, UnitState],
        links: Mapping[str, str],
    ) -> None:
        self.before, self.after, self.states, self.links = before, after, states, links
        self.stop: dict[str, UnitJob] = {}
        self.back: dict[str, UnitJob] = {}
        self.start: dict[str, UnitJob] = {}
        self.start_undo: dict[str, UnitJob] = {}
        self.notes: list[str] = []
        self._candidates: list[tuple[str, Sequence[str], str]] = []
        """What is to start once one of the units that want it runs, and why."""

    def collect(self, changes: Iterable[UnitFileChange]) -> Mapping[str, _Touched]:
        touched: dict[str, _Touched] = {}
        for change in changes:
            directory, _, name = change.path.removeprefix(f"{SYSTEM}/").rpartition("/")
            if not directory:
                touched.setdefault(name, _Touched()).fragment = change
            elif directory.endswith(".d"):
                touched.setdefault(directory.removesuffix(".d"), _Touched()).dropins.append(change)
            elif isinstance(change.after, Symlink):
                wanting = directory.rpartition(".")[0]
                touched.setdefault(name, _Touched()).wanted_by.append(wanting)
        return touched

    def unit(self, name: str, touched: _Touched) -> None:
        for instance in self._instances(name):
            self._one(instance, name, touched)

    def _instances(self, name: str) -> Sequence[str]:
        if "@." not in name:
            return (name,)
        return sorted(unit for unit in self.states if template_of(unit) == name)

    def _one(self, unit: str, declared: str, touched: _Touched) -> None:
        state = self.states.get(unit, _INACTIVE)
        before, after = self.before.get(declared), self.after.get(declared)
        going = self._going(touched, before, after)
        need, reason = self._need(touched, before, after)
        if unit in OWN_UNITS:
            return
        if unit in _VITAL or unit in _VITAL_MOUNTS or unit.startswith(_SESSIONS):
            if going or need != "nothing":
                self.notes.append(f"{unit} changes, and is left running: it takes effect at the next boot")
            return
        if going:
            self._take_down(unit, state, going, before)
        elif touched.fragment is not None and _is_mask(touched.fragment.before):
            wanting = [self.links_wanting(unit), *touched.wanted_by]
            self._candidates.append(
                (unit, [name for name in wanting if name], "no longer masked, and wanted")
            )
        elif state.runs:
            self._change(unit, need, reason)
        elif state.active == "failed" and need != "nothing":
            self._revive(unit, reason)
        else:
            self._candidates.append((unit, touched.wanted_by, "newly wanted"))

    def links_wanting(self, unit: str) -> str:
        """A unit that wants ``unit`` by a link and runs, or nothing."""
        for path in self.links:
            directory, _, name = path.removeprefix(f"{SYSTEM}/").rpartition("/")
            wanting = directory.rpartition(".")[0]
            if name == unit and self.states.get(wanting, _INACTIVE).runs:
                return wanting
        return ""

    @staticmethod
    def _going(touched: _Touched, before: Unit | None, after: Unit | None) -> str:
        """Why the unit is not to run any more, or nothing."""
        fragment = touched.fragment
        if fragment is not None:
            if _is_mask(fragment.after):
                return "masked"
            if isinstance(fragment.after, Absent) and isinstance(fragment.before, File):
                return "no longer declared"
            if isinstance(fragment.before, Symlink) and isinstance(fragment.after, Absent) and before is None:
                return ""  # an alias goes: the unit itself stays
        disabled = (
            after is not None and after.enable is False and (before is None or before.enable is not False)
        )
        return "disabled" if disabled else ""

    def _take_down(self, unit: str, state: UnitState, reason: str, before: Unit | None) -> None:
        if not state.runs:
            return
        if before is not None and not before.stop_on_removal and reason == "no longer declared":
            self.notes.append(f"{unit} is no longer declared, and is left running as its definition asks")
            return
        self.stop[unit] = UnitJob(unit, "stop", reason)
        self.back[unit] = UnitJob(unit, "start", "it ran before")

    def _revive(self, unit: str, reason: str) -> None:
        if unit.rpartition(".")[2] not in _NEVER_RESTARTED:
            self.start[unit] = UnitJob(unit, "restart", f"it had failed, and {reason}")
            self.start_undo[unit] = UnitJob(unit, "stop", "it did not run before")

    def bring_up(self) -> None:
        """Start what is wanted by something that runs, or that is started itself: as long as there is more of it."""
        left = [one for one in self._candidates if not self.states.get(one[0], _INACTIVE).runs]
        while True:
            waiting: list[tuple[str, Sequence[str], str]] = []
            for unit, wanting, reason in left:
                running = [name for name in wanting if self._will_run(name)]
                if running:
                    self.start[unit] = UnitJob(unit, "start", f"{reason} by {running[0]}")
                    self.start_undo[unit] = UnitJob(unit, "stop", "it did not run before")
                else:
                    waiting.append((unit, wanting, reason))
            if len(waiting) == len(left):
                return
            left = waiting

    def _will_run(self, unit: str) -> bool:
        if unit in self.start:
            return True
        return self.states.get(unit, _INACTIVE).runs and unit not in self.stop

    def _need(self, touched: _Touched, before: Unit | None, after: Unit | None) -> tuple[Need, str]:
        """What a running unit needs, and why."""
        declared = after or before
        on_change = declared.on_change if declared is not None else "restart"
        names = _differences(touched)
        if names:
            reason = f"{_listing(names)} changed"
            if on_change == "restart":
                return "restart", reason
            return ("nothing" if on_change == "nothing" else on_change), reason
        if before is None or after is None:
            return "nothing", ""
        changed = sorted(set(after.restart_triggers) ^ set(before.restart_triggers))
        if changed:
            need: Need = "restart" if on_change in ("restart", "reload") else on_change
            return need, f"its trigger {changed[0].partition(' ')[0]} changed"
        changed = sorted(set(after.reload_triggers) ^ set(before.reload_triggers))
        if changed:
            return "reload", f"its trigger {changed[0].partition(' ')[0]} changed"
        return "nothing", ""

    def _change(self, unit: str, need: Need, reason: str) -> None:
        kind = unit.rpartition(".")[2]
        if need == "nothing" and reason:
            self.notes.append(f"{unit} is left running as its definition asks, although {reason}")
        if need == "nothing" or kind in _NEVER_RESTARTED:
            return
        if kind == "mount":
            need = "reload"  # mount(8) -o remount: never taken away from under what uses it
        if need == "reload":
            self.start[unit] = UnitJob(unit, "reload", reason)
            self.back[unit] = UnitJob(unit, "reload", "its old files are back")
        elif need == "stop-start" or kind == "socket":
            self._stop_and_start(unit, kind, reason)
        else:
            self.start[unit] = UnitJob(unit, "restart", reason)
            self.back[unit] = UnitJob(unit, "restart", "its old files are back")

    def _stop_and_start(self, unit: str, kind: str, reason: str) -> None:
        """A socket cannot be taken from a running service, see systemd.socket(5): that is stopped first and comes back on demand."""
        units = [unit]
        service = unit.removesuffix(".socket") + ".service"
        if kind == "socket" and self.states.get(service, _INACTIVE).runs and service not in self.stop:
            units.insert(0, service)
        for one in units:
            self.stop[one] = UnitJob(one, "stop", reason)
            self.start[one] = UnitJob(one, "start", reason)
            self.back[one] = UnitJob(one, "start", "it ran before")

    def result(self, reload_manager: bool) -> UnitPlan:
        for unit in self.stop:  # a socket that was stopped with its service needs no restart of that one
            job = self.start.get(unit)
            if job is not None and job.verb != "start":
                self.start[unit] = UnitJob(unit, "start", job.reason)
        return UnitPlan(
            _ordered(self.stop),
            _ordered(self.back),
            _ordered(self.start),
            _ordered(self.start_undo),
            reload_manager,
            tuple(self.notes),
        )


def _ordered(jobs: Mapping[str, UnitJob]) -> tuple[UnitJob, ...]:
    return tuple(job for _, job in sorted(jobs.items()))


def _is_mask(node: Node) -> bool:
    return isinstance(node, Symlink) and node.target == "/dev/null"


def _differences(touched: _Touched) -> list[str]:
    """Names of the settings that a running unit would have to learn of."""
    files = [*([touched.fragment] if touched.fragment else []), *touched.dropins]
    names: dict[str, None] = {}
    for change in files:
        before, after = _settings(change.before_text), _settings(change.after_text)
        for key in [*after, *before]:
            if before.get(key) != after.get(key):
                names.setdefault(key[1])
    return list(names)


def _settings(text: str) -> dict[tuple[str, str], list[str]]:
    """Section and key to values, without what running units do not care about."""
    found: dict[tuple[str, str], list[str]] = {}
    section = ""
    for line in logical_lines(text):
        if line.startswith("["):
            section = line.strip("[] ")
            continue
        key, separator, value = line.partition("=")
        key = key.strip()
        inert = section == "Install" or key.startswith("X-") or (section == "Unit" and key in _INERT)
        if separator and not inert:
            found.setdefault((section, key), []).append(value.strip())
    return found


def _listing(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
