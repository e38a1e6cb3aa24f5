"""The order of steps: whatever a run does, what takes it back is noted before it is done."""

from __future__ import annotations

from holdfast.base.digests import digest_bytes
from holdfast.host.files.actions import put
from holdfast.host.files.nodes import Absent, File
from holdfast.host.planning.arranging import Surroundings, arrange
from holdfast.host.planning.plan import Plan
from holdfast.host.state import STATE_VERSION, State
from holdfast.host.steps import ChangeFiles, ProbeHealth, ReloadManager, RunTasks, RunUnits
from holdfast.host.units.states import UnitState
from holdfast.host.units.touched import UnitFileChange
from holdfast.host.units.transitions import ManagerFacts
from holdfast.manifest.model import Task, Unit
from tests.host.roots import a_manifest

_PATH = "/etc/systemd/system/x.service"
_TEXT = "[Service]\nExecStart=/bin/true\n"


def test_what_is_stopped_runs_again_wherever_the_run_ends() -> None:
    file = File(digest_bytes(_TEXT.encode()), "0644")
    plan = Plan(
        (put(_PATH, Absent(), file, "no longer declared"),),
        (),
        {},
        State(STATE_VERSION, 2, digest_bytes(b"")),
    )
    around = Surroundings(
        units=ManagerFacts({"x.service": UnitState("loaded", "active", "running")}),
        unit_changes=(UnitFileChange(_PATH, file, Absent(), _TEXT),),
    )
    previous = a_manifest(units={"x.service": Unit(_TEXT)})
    old = State(
        STATE_VERSION, 1, digest_bytes(b""), tasks={"old": Task(("createdb",), undo=("dropdb",), user="ann")}
    )
    new = a_manifest(tasks={"new": Task(("x",))})
    first, *_, last = arrange(plan, around, links={}, state=old, manifest=new, previous=previous).steps
    # What undoes a task may need the units and the users that go with it.
    assert isinstance(first, RunTasks) and first.dropped and not first.tasks
    assert isinstance(last, ProbeHealth)
    steps = arrange(plan, around, links={}, state=None, manifest=a_manifest(), previous=previous).steps
    kinds = [type(step) for step in steps]
    stop = steps[0]
    assert isinstance(stop, RunUnits)
    assert [job.verb for job in stop.jobs] == ["stop"]
    assert [job.verb for job in stop.undo] == ["start"]
    # Undone in reverse: the files, then systemd reads them, then what was stopped starts.
    assert kinds.index(RunUnits) < kinds.index(ReloadManager) < kinds.index(ChangeFiles)
