"""What becomes of units when their files change: a table, and what holds of any change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.base.digests import digest_bytes
from holdfast.host.nodes import Absent, File, Node, Symlink
from holdfast.host.own_units import OWN_UNITS
from holdfast.host.steps import UnitJob
from holdfast.host.systemd import UnitState
from holdfast.host.transitions import UnitFileChange, UnitPlan, plan_units
from holdfast.host.units import SYSTEM
from holdfast.manifest.model import Unit

RUNS, OVER, FAILED = (
    UnitState("loaded", "active", "running"),
    UnitState("loaded", "inactive", "dead"),
    UnitState("loaded", "failed", "failed"),
)
TARGET = {"multi-user.target": UnitState("loaded", "active", "active")}
OLD = (
    "[Unit]\nDescription=a\n[Service]\nExecStart=/old\nExecReload=/r\n[Install]\nWantedBy=multi-user.target\n"
)
NEW = OLD.replace("/old", "/new")
WANTS = f"{SYSTEM}/multi-user.target.wants"


def file(path: str, before: str | None, after: str | None) -> UnitFileChange:
    def node(text: str | None) -> Node:
        return Absent() if text is None else File(digest_bytes(text.encode()), "0644")

    return UnitFileChange(f"{SYSTEM}/{path}", node(before), node(after), before or "", after or "")


def link(path: str, before: str | None, after: str | None) -> UnitFileChange:
    def node(target: str | None) -> Node:
        return Absent() if target is None else Symlink(target)

    return UnitFileChange(path, node(before), node(after))


def plan(
    changes: Sequence[UnitFileChange],
    states: Mapping[str, UnitState],
    before: Mapping[str, Unit] | None = None,
    after: Mapping[str, Unit] | None = None,
    links: Mapping[str, str] | None = None,
) -> UnitPlan:
    return plan_units(
        changes,
        declared_before=before or {},
        declared_after=after or {},
        states={**TARGET, **states},
        links=links or {},
    )


def said(jobs: Sequence[UnitJob]) -> list[str]:
    return [f"{job.verb} {job.unit}" for job in jobs]


@pytest.mark.parametrize(
    ("after", "verbs"),
    [
        (NEW, ["restart a.service"]),
        (OLD.replace("/r", "/r2"), ["restart a.service"]),
        (OLD.replace("Description=a", "Description=b\nOnFailure=x.service"), []),
        (OLD.replace("multi-user", "graphical"), []),
        (OLD + "[Unit]\nX-Note=1\n# said\n", []),
        (OLD.replace("[Service]", "After=b.service\n[Service]"), ["restart a.service"]),
    ],
)
def test_what_differs_decides(after: str, verbs: list[str]) -> None:
    made = plan([file("a.service", OLD, after)], {"a.service": RUNS})
    assert said(made.start) == verbs == said(made.back)
    assert not made.stop


@pytest.mark.parametrize(
    ("on_change", "stop", "start"),
    [
        ("restart", [], ["restart a.service"]),
        ("reload", [], ["reload a.service"]),
        ("stop-start", ["stop a.service"], ["start a.service"]),
        ("nothing", [], []),
    ],
)
def test_the_definition_says_what_a_change_needs(on_change: str, stop: list[str], start: list[str]) -> None:
    unit = Unit(text=NEW, on_change=on_change)  # type: ignore[arg-type] # one of the four
    made = plan([file("a.service", OLD, NEW)], {"a.service": RUNS}, {"a.service": unit}, {"a.service": unit})
    assert (said(made.stop), said(made.start)) == (stop, start)
    assert bool(made.notes) == (on_change == "nothing")
    gone = plan(
        [file("a.service.d/x.conf", "[Service]\nNice=1\n", None)], {"a.service": RUNS}, {"a.service": unit}
    )
    assert said(gone.start) == start


@pytest.mark.parametrize(
    ("before", "after", "verbs"),
    [
        (Unit(restart_triggers=("/x 1",)), Unit(restart_triggers=("/x 2",)), ["restart a.service"]),
        (Unit(reload_triggers=("/x 1",)), Unit(reload_triggers=("/x 2",)), ["reload a.service"]),
        (Unit(restart_triggers=("/x 1",)), Unit(restart_triggers=("/x 1",)), []),
    ],
)
def test_triggers(before: Unit, after: Unit, verbs: list[str]) -> None:
    made = plan([], {"a.service": RUNS}, {"a.service": before}, {"a.service": after})
    assert said(made.start) == verbs
    assert all(job.reason == "its trigger /x changed" for job in made.start)


def test_what_did_not_run_is_not_started_but_what_failed_is() -> None:
    change = [file("a.service", OLD, NEW)]
    assert plan(change, {"a.service": OVER}) == UnitPlan(reload_manager=True)
    made = plan(change, {"a.service": FAILED})
    assert (said(made.start), said(made.start_undo)) == (["restart a.service"], ["stop a.service"])


def test_removed_units_stop_while_their_files_are_there() -> None:
    change, before = [file("a.service", OLD, None)], {"a.service": Unit(text=OLD)}
    made = plan(change, {"a.service": RUNS}, before)
    assert (said(made.stop), said(made.back), made.start) == (["stop a.service"], ["start a.service"], ())
    left = plan(change, {"a.service": RUNS}, {"a.service": Unit(text=OLD, stop_on_removal=False)})
    assert (left.stop, left.start, len(left.notes)) == ((), (), 1)


def test_masks() -> None:
    path = f"{SYSTEM}/a.service"
    made = plan([link(path, None, "/dev/null")], {"a.service": RUNS})
    assert (said(made.stop), said(made.back)) == (["stop a.service"], ["start a.service"])
    wanted = {f"{WANTS}/a.service": "/usr/lib/systemd/system/a.service"}
    made = plan([link(path, "/dev/null", None)], {}, links=wanted)
    assert (said(made.start), said(made.start_undo)) == (["start a.service"], ["stop a.service"])
    assert not plan([link(path, "/dev/null", None)], {}).start


def test_new_units_start_with_what_wants_them_however_far_up() -> None:
    changes = [
        link(f"{SYSTEM}/z.target.wants/a.service", None, "x"),
        link(f"{WANTS}/z.target", None, "x"),
        link(f"{SYSTEM}/sleep.target.wants/b.service", None, "x"),
        file("a.service", None, NEW),
    ]
    made = plan(changes, {})
    assert said(made.start) == ["start a.service", "start z.target"]
    assert said(made.start_undo) == ["stop a.service", "stop z.target"]


def test_sockets_take_their_service_along() -> None:
    states = {"a.socket": RUNS, "a.service": RUNS}
    change = file("a.socket", "[Socket]\nListenStream=1\n", "[Socket]\nListenStream=2\n")
    both = [change, file("a.service", OLD, NEW)]
    for changes in ([change], both):
        made = plan(changes, states)
        assert said(made.stop) == ["stop a.service", "stop a.socket"]
        assert said(made.start) == ["start a.service", "start a.socket"]
    assert said(plan(both[1:], states).start) == ["restart a.service"]


@pytest.mark.parametrize(
    "name", ["dbus.service", "-.mount", "usr.mount", "user@1000.service", *sorted(OWN_UNITS)]
)
def test_units_that_are_never_touched(name: str) -> None:
    for after in (NEW, None):
        made = plan([file(name, OLD, after)], {name: RUNS}, {name: Unit(text=OLD)})
        assert (made.stop, made.start, made.back) == ((), (), ())
        assert bool(made.notes) == (name not in OWN_UNITS)


@pytest.mark.parametrize(
    ("name", "verbs"),
    [
        ("a.target", []),
        ("a.slice", []),
        ("srv.mount", ["reload srv.mount"]),
        ("a.timer", ["restart a.timer"]),
    ],
)
def test_kinds(name: str, verbs: list[str]) -> None:
    made = plan([file(name, "[X]\na=1\n", "[X]\na=2\n")], {name: RUNS})
    assert said(made.start) == verbs


def test_instances_of_a_template_that_run() -> None:
    states = {"a@1.service": RUNS, "a@2.service": OVER, "b@1.service": RUNS}
    assert said(plan([file("a@.service", OLD, NEW)], states).start) == ["restart a@1.service"]
    only = plan([file("a@1.service.d/x.conf", None, "[Service]\nNice=1\n")], states)
    assert said(only.start) == ["restart a@1.service"]
    assert only.start[0].reason == "Nice changed"


NAMES = st.sampled_from(
    ["a.service", "a.socket", "b@.service", "c.target", "dbus.service", "srv.mount", *sorted(OWN_UNITS)]
)
TEXTS = st.one_of(st.none(), st.sampled_from([OLD, NEW, "[Service]\nExecStart=/x\n"]))
STATES = st.sampled_from([RUNS, OVER, FAILED])


@settings(max_examples=80)
@given(
    st.dictionaries(NAMES, st.tuples(TEXTS, TEXTS)),
    st.dictionaries(
        st.sampled_from(["b@1.service", "a.service", "a.socket", "dbus.service", *OWN_UNITS]), STATES
    ),
    st.sampled_from(["restart", "reload", "stop-start", "nothing"]),
)
def test_whatever_changes(
    texts: dict[str, tuple[str | None, str | None]], states: dict[str, UnitState], on_change: str
) -> None:
    def declared(index: int) -> dict[str, Unit]:
        made: dict[str, Unit] = {}
        for name, pair in texts.items():
            if pair[index] is not None:
                made[name] = Unit(text=pair[index], on_change=on_change)  # type: ignore[arg-type] # as above
        return made

    changes = [file(name, *pair) for name, pair in texts.items() if pair[0] != pair[1]]
    made = plan(changes, states, declared(0), declared(1))
    jobs = (*made.stop, *made.back, *made.start, *made.start_undo)
    assert not {job.unit for job in jobs} & {*OWN_UNITS, "dbus.service"}
    assert all(job.reason for job in jobs)
    assert {job.unit for job in made.stop} <= {job.unit for job in made.back}
    assert all(states[job.unit] == RUNS for job in made.stop)
    assert not {job.unit for job in made.start_undo if states.get(job.unit) == RUNS}
    for job in made.start:
        assert job.verb == "start" or states.get(job.unit, OVER) != OVER
    again = plan([], states, declared(1), declared(1))
    assert (again.stop, again.back, again.start) == ((), (), ())
