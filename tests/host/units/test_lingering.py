"""When the manager of a user who lingers is started and stopped."""

from __future__ import annotations

from holdfast.base.digests import digest_bytes
from holdfast.host.files.actions import PutFile, Remove
from holdfast.host.files.nodes import Absent, File
from holdfast.host.units.lingering import LINGER, plan_lingering
from holdfast.host.units.states import UnitState
from holdfast.host.units.transitions import UnitPlan

EMPTY = File(digest_bytes(b""), "0644")
RUNS = {"user@1000.service": UnitState("loaded", "active", "running")}
NEW = PutFile(f"{LINGER}/ann", EMPTY, Absent(), "")
GONE = Remove(f"{LINGER}/ann", EMPTY, "")
UIDS = {"ann": 1000}


def said(plan: UnitPlan) -> list[str]:
    return [f"{job.verb} {job.unit}" for job in (*plan.stop, *plan.back, *plan.start, *plan.start_undo)]


def test_who_lingers_since_now_gets_a_manager_at_once() -> None:
    assert said(plan_lingering([NEW], UIDS, {}, ())) == [
        "start user@1000.service",
        "stop user@1000.service",
        "stop user-runtime-dir@1000.service",
    ]
    assert plan_lingering([NEW], UIDS, RUNS, ()) == UnitPlan(), "somebody is logged in"
    assert plan_lingering([NEW], {}, {}, ()) == UnitPlan(), "nobody of that name"


def test_who_lingers_no_more_loses_it_unless_logged_in() -> None:
    assert said(plan_lingering([GONE], UIDS, RUNS, ())) == [
        "stop user@1000.service",
        "stop user-runtime-dir@1000.service",
        "start user@1000.service",
    ]
    assert plan_lingering([GONE], UIDS, {}, ()) == UnitPlan()
    kept = plan_lingering([GONE], UIDS, RUNS, {1000})
    assert (said(kept), len(kept.notes)) == ([], 1)
