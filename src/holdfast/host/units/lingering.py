"""Starting and stopping the managers of users who linger, as `loginctl enable-linger` and `disable-linger` do (pure).

logind looks at its list of them at boot alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from holdfast.host.files.actions import Action, PutFile, Remove
from holdfast.host.files.nodes import Absent
from holdfast.host.steps import UnitJob
from holdfast.host.units.states import NOWHERE, UnitState
from holdfast.host.units.transitions import UnitPlan

LINGER = "/var/lib/systemd/linger"


def plan_lingering(
    actions: Sequence[Action],
    uids: Mapping[str, int],
    states: Mapping[str, UnitState],
    logged_in: Collection[int],
) -> UnitPlan:
    """Jobs for user managers. ``uids``: of all users, before and after; ``logged_in``: those of them with a session now."""
    stop: list[UnitJob] = []
    back: list[UnitJob] = []
    start: list[UnitJob] = []
    undo: list[UnitJob] = []
    notes: list[str] = []
    for action in actions:
        folder, _, name = action.path.rpartition("/")
        uid = uids.get(name)
        if folder != LINGER or uid is None:
            continue
        unit, directory = f"user@{uid}.service", f"user-runtime-dir@{uid}.service"
        runs = states.get(unit, NOWHERE).runs
        if isinstance(action, PutFile) and isinstance(action.before, Absent) and not runs:
            start.append(UnitJob(unit, "start", f"{name} lingers"))
            undo.append(UnitJob(unit, "stop", "it did not run before"))
            undo.append(UnitJob(directory, "stop", "it was not there before"))
        elif isinstance(action, Remove) and runs and uid in logged_in:
            notes.append(f"{name} lingers no more; {unit} runs until {name} logs out")
        elif isinstance(action, Remove) and runs:
            stop.append(UnitJob(unit, "stop", f"{name} lingers no more"))
            # logind would leave it for another ten seconds, to whoever gets the number next (UserStopDelaySec= in logind.conf(5)).
            stop.append(UnitJob(directory, "stop", f"{name} lingers no more"))
            back.append(UnitJob(unit, "start", "it ran before"))
    return UnitPlan(tuple(stop), tuple(back), tuple(start), tuple(undo), notes=tuple(notes))
