"""What becomes of units when their files change: a table, and what holds of any change."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.host.units.declared import SYSTEM
from holdfast.host.units.own import OWN_UNITS
from holdfast.host.units.states import Relations, UnitState
from holdfast.host.units.transitions import UnitPlan
from holdfast.manifest.model import Unit
from tests.examples import at_most
from tests.host.units.unit_changes import FAILED, NEW, OLD, OVER, RUNS, WANTS, file, link, plan, said


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
    if verbs:
        new = plan([], {"a.service": RUNS}, {}, {"a.service": after})
        assert said(new.start) == verbs, "it ran before it was declared"
        gone = plan([], {"a.service": RUNS}, {"a.service": before}, {})
        assert said(gone.start) == verbs, "and runs after it"


def test_what_did_not_run_is_not_started_but_what_failed_is() -> None:
    change = [file("a.service", OLD, NEW)]
    assert plan(change, {"a.service": OVER}) == UnitPlan()
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
    by_hand = plan([], {}, {"a.service": Unit(masked=True)}, links=wanted)
    assert said(by_hand.start) == ["start a.service"], "somebody had taken our mask away"
    still = {"a.service": Unit(masked=True)}
    assert not plan([], {}, still, still, links=wanted).start


def test_new_units_start_with_what_wants_them_however_far_up() -> None:
    changes = [
        link(f"{SYSTEM}/z.target.wants/a.service", None, "x"),
        link(f"{WANTS}/z.target", None, "x"),
        link(f"{SYSTEM}/sleep.target.wants/b.service", None, "x"),
        file("a.service", None, NEW),
    ]
    made = plan(changes, {})
    assert said(made.start) == ["start a.service", "start z.target"]
    assert said(made.start_undo) == ["stop z.target", "stop a.service"]


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


@at_most(80)
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
    assert not {job.unit for job in jobs} & OWN_UNITS
    killing = {job.unit for job in jobs if job.verb in ("stop", "restart")}
    assert "dbus.service" not in killing or states.get("dbus.service") == FAILED
    assert all(job.reason for job in jobs)
    stopped = {job.unit for job in made.stop if states[job.unit] == RUNS}
    assert stopped <= {job.unit for job in made.back}
    assert all(states[job.unit] in (RUNS, FAILED) for job in made.stop)
    assert not {job.unit for job in made.start_undo if states.get(job.unit) == RUNS}
    for job in made.start:
        assert job.verb == "start" or states.get(job.unit, OVER) != OVER
    again = plan([], states, declared(1), declared(1))
    assert (again.stop, again.back, again.start) == ((), (), ())


def test_a_dropped_override_gives_the_packaged_unit_back_as_it_runs() -> None:
    change = [file("a.service", NEW, None, OLD)]
    made = plan(change, {"a.service": RUNS}, {"a.service": Unit(text=NEW)})
    assert (made.stop, said(made.start), said(made.back)) == (
        (),
        ["restart a.service"],
        ["restart a.service"],
    )
    assert made.start[0].reason == "ExecStart changed"
    same = plan([file("a.service", OLD, None, OLD)], {"a.service": RUNS}, {"a.service": Unit(text=OLD)})
    assert same == UnitPlan(), "the packaged file says the same"
    assert (
        plan([file("a.service", None, OLD, OLD)], {"a.service": RUNS}, {}, {"a.service": Unit(text=OLD)})
        == UnitPlan()
    )
    assert plan(change, {"a.service": OVER}, {"a.service": Unit(text=NEW)}) == UnitPlan()


def test_what_only_our_link_wanted_stops_when_that_goes() -> None:
    gone = [link(f"{WANTS}/a.service", "/usr/lib/systemd/system/a.service", None)]

    def stopped(known: Relations | None, unit: str = "a.service", **more: Unit) -> list[str]:
        relations = {} if known is None else {unit: known}
        states = {unit: RUNS, "b.target": RUNS, "a.timer": RUNS, "c.target": OVER}
        return said(plan(gone, states, {unit: more.get("before", Unit())}, relations=relations).stop)

    only = Relations(wanted_by=("multi-user.target",))
    assert stopped(only) == ["stop a.service"]
    assert stopped(Relations(wanted_by=("multi-user.target", "c.target"))) == ["stop a.service"]
    assert stopped(Relations(wanted_by=("multi-user.target", "b.target"))) == []
    assert stopped(Relations(("multi-user.target",), triggered_by=("a.timer",))) == []
    assert stopped(Relations(("multi-user.target",), on_bus=True)) == []
    assert stopped(None) == [], "nobody was asked"
    assert stopped(only, before=Unit(stop_on_removal=False)) == []
    moved = [*gone, link(f"{SYSTEM}/b.target.wants/a.service", None, "x")]
    assert plan(moved, {"a.service": RUNS, "b.target": RUNS}, relations={"a.service": only}) == UnitPlan()


def test_names_by_which_units_are_known_too() -> None:
    aliases = {"default.target": "multi-user.target", "ssh-alias.service": "a.service"}
    new = [link(f"{SYSTEM}/default.target.wants/b.service", None, "x"), file("b.service", None, NEW)]
    assert said(plan(new, {}, aliases=aliases).start) == ["start b.service"]
    wanted = [link(f"{WANTS}/ssh-alias.service", None, "x")]
    assert plan(wanted, {"a.service": RUNS}, aliases=aliases) == UnitPlan(), "it runs by its first name"
    alias = f"{SYSTEM}/ssh-alias.service"
    for change in (link(alias, None, f"{SYSTEM}/a.service"), link(alias, f"{SYSTEM}/a.service", None)):
        assert plan([change], {"a.service": RUNS}, aliases=aliases) == UnitPlan()
    taken = plan([link(alias, None, f"{SYSTEM}/a.service")], {"ssh-alias.service": RUNS, "a.service": RUNS})
    assert said(taken.stop) == ["stop ssh-alias.service"], "another unit of that name ran"
    dropin = [file("ssh-alias.service.d/x.conf", None, "[Service]\nNice=1\n")]
    assert said(plan(dropin, {"a.service": RUNS}, aliases=aliases).start) == ["restart a.service"]


@pytest.mark.parametrize(
    ("more", "stop", "start"),
    [
        ("X-RestartIfChanged=false", [], []),
        ("X-ReloadIfChanged=true", [], ["reload a.service"]),
        ("X-StopIfChanged=true", ["stop a.service"], ["start a.service"]),
        ("X-Other=1", [], ["restart a.service"]),
    ],
)
def test_plain_texts_say_what_nixos_has_them_say(more: str, stop: list[str], start: list[str]) -> None:
    old, new = (text.replace("[Service]", f"{more}\n[Service]") for text in (OLD, NEW))
    made = plan([file("a.service", old, new)], {"a.service": RUNS})
    assert (said(made.stop), said(made.start)) == (stop, start)


def test_triggers_and_removal_in_plain_texts() -> None:
    for key, verb in (("X-Restart-Triggers", "restart"), ("X-Reload-Triggers", "reload")):
        old, new = (OLD.replace("[Service]", f"{key}={value}\n[Service]") for value in "12")
        assert said(plan([file("a.service", old, new)], {"a.service": RUNS}).start) == [f"{verb} a.service"]
    kept = OLD.replace("[Service]", "X-StopOnRemoval=false\n[Service]")
    made = plan([file("a.service", kept, None)], {"a.service": RUNS})
    assert (made.stop, len(made.notes)) == ((), 1)


def test_an_instance_with_a_file_of_its_own_does_not_follow_its_template() -> None:
    states = {"a@1.service": RUNS, "a@2.service": RUNS}
    own = {"a@1.service": Unit(text=OLD)}
    assert said(plan([file("a@.service", OLD, NEW)], states, own, own).start) == ["restart a@2.service"]
    gone = plan([file("a@.service", OLD, None)], states, {"a@.service": Unit(text=OLD)})
    assert said(gone.stop) == ["stop a@2.service", "stop a@1.service"]


def test_a_unit_that_is_a_link_to_a_file_elsewhere_is_no_alias() -> None:
    linked = link(f"{SYSTEM}/a.service", "/nix/store/x-a.service", None)
    assert said(plan([linked], {"a.service": RUNS}).stop) == ["stop a.service"]


def test_what_had_failed_and_goes_is_forgotten() -> None:
    made = plan([file("a.service", OLD, None)], {"a.service": FAILED}, {"a.service": Unit(text=OLD)})
    assert (said(made.stop), made.back) == (["stop a.service"], ())


def test_jobs_are_begun_in_the_order_that_the_units_ask_for() -> None:
    """systemd begins each as it comes."""
    texts = {
        "a.service": "[Unit]\nAfter=b.service c.service\n[Service]\nExecStart=/{0}\n",
        "b.service": "[Unit]\nAfter=c.service\n[Service]\nExecStart=/{0}\n",
        "c.service": "[Service]\nExecStart=/{0}\n",
        "d.service": "[Unit]\nBefore=c.service\nAfter=e.service\n[Service]\nExecStart=/{0}\n",
        "e.service": "[Unit]\nAfter=d.service\n[Service]\nExecStart=/{0}\n",  # a circle
    }
    changes = [file(name, text.format(1), text.format(2)) for name, text in texts.items()]
    made = plan(changes, dict.fromkeys(texts, RUNS))
    assert [job.unit[0] for job in made.start] in (list("edcba"), list("decba"))
    gone = plan(
        [file(name, text.format(1), None) for name, text in texts.items()], dict.fromkeys(texts, RUNS)
    )
    units = [job.unit for job in gone.stop]
    assert units.index("a.service") < units.index("b.service") < units.index("c.service")
