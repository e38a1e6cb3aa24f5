"""What becomes of sockets, mounts, targets, drop-ins for many units, and of units that are spared."""

from __future__ import annotations

import pytest

from holdfast.host.packages import stale_jobs
from holdfast.host.packages.change import Stale
from holdfast.host.units.declared import SYSTEM
from holdfast.host.units.own import OWN_UNITS
from holdfast.host.units.spared import spared
from holdfast.host.units.states import Relations
from holdfast.host.units.touched import UnitFileChange
from holdfast.host.units.transitions import UnitPlan
from holdfast.manifest.model import Unit
from tests.host.units.unit_changes import NEW, OLD, OVER, RUNS, file, link, plan, said


def test_sockets_take_their_service_along() -> None:
    states = {"a.socket": RUNS, "a.service": RUNS}
    change = file("a.socket", "[Socket]\nListenStream=1\n", "[Socket]\nListenStream=2\n")
    both = [change, file("a.service", OLD, NEW)]
    for changes in ([change], both):
        made = plan(changes, states)
        assert said(made.stop) == ["stop a.service", "stop a.socket"]
        assert said(made.start) == ["start a.socket"], "traffic starts the service"
        assert said(made.back) == ["start a.socket", "start a.service"]
        wanted = {"a.service": Relations(wanted_by=("multi-user.target",), triggered_by=("a.socket",))}
        assert said(plan(changes, states, relations=wanted).start) == ["start a.socket", "start a.service"]
    assert said(plan(both[1:], states).start) == ["restart a.service"]


@pytest.mark.parametrize(
    "name",
    [
        "dbus.service", "dbus-broker.service", "systemd-journald.socket", "systemd-networkd.service", "user@1000.service",
        "getty@tty1.service", "serial-getty@ttyS0.service", "session-3.scope", "systemd-logind.service", *sorted(OWN_UNITS),
    ],
)  # fmt: skip
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
        ("a.timer", ["restart a.timer"]),
        ("a.path", ["restart a.path"]),
        ("a.swap", []),
        ("a.scope", []),
    ],
)
def test_kinds(name: str, verbs: list[str]) -> None:
    made = plan([file(name, "[X]\na=1\n", "[X]\na=2\n")], {name: RUNS})
    assert said(made.start) == verbs


def test_sockets_of_services_with_other_names() -> None:
    def listens(more: str) -> list[UnitFileChange]:
        return [file("a.socket", f"[Socket]\nListenStream=1\n{more}", f"[Socket]\nListenStream=2\n{more}")]

    states = {"a.socket": RUNS, "a.service": RUNS, "b.service": RUNS, "a@1-x.service": RUNS}
    assert said(plan(listens("Service=b.service\n"), states).stop) == ["stop b.service", "stop a.socket"]
    assert said(plan(listens("Accept=yes\n"), states).stop) == ["stop a.socket"], "connections go on"
    told = {"a.socket": Relations(triggers=("b.service", "a@1-x.service"))}
    assert said(plan(listens(""), states, relations=told).stop) == ["stop b.service", "stop a.socket"]
    template = [file("a@.service", OLD, NEW)]
    assert plan(template, states) == UnitPlan(), "each instance serves a connection"


def test_a_new_socket_takes_its_place_from_the_service() -> None:
    new = [
        file("a.socket", None, "[Socket]\nListenStream=1\n"),
        link(f"{SYSTEM}/sockets.target.wants/a.socket", None, "x"),
    ]
    states = {"sockets.target": RUNS, "a.service": RUNS}
    made = plan(new, states)
    assert (said(made.stop), said(made.start)) == (["stop a.service"], ["start a.socket"])
    assert (said(made.back), said(made.start_undo)) == (["start a.service"], ["stop a.socket"])
    wanted = {"a.service": Relations(wanted_by=("multi-user.target",))}
    assert said(plan(new, states, relations=wanted).start) == ["start a.socket", "start a.service"]


@pytest.mark.parametrize("directory", ["service.d", "a-.service.d"])
def test_drop_ins_for_many_units_restart_nothing_and_are_told(directory: str) -> None:
    made = plan(
        [file(f"{directory}/x.conf", None, "[Service]\nNice=1\n")], {"a-b.service": RUNS, "c.socket": RUNS}
    )
    assert (made.stop, made.start) == ((), ())
    (note,) = made.notes
    assert f"{SYSTEM}/{directory}/x.conf" in note and "the 1 that run" in note


@pytest.mark.parametrize(
    ("name", "key", "stop", "start", "notes"),
    [
        ("data.mount", "Options", [], ["reload data.mount"], 0),
        ("data.mount", "What", ["stop data.mount"], ["start data.mount"], 0),
        ("data.mount", "TimeoutSec", [], [], 0),
        ("var.mount", "Options", [], ["reload var.mount"], 0),
        ("var.mount", "Type", [], [], 1),
        ("-.mount", "What", [], [], 1),
    ],
)
def test_mounts(name: str, key: str, stop: list[str], start: list[str], notes: int) -> None:
    made = plan([file(name, f"[Mount]\n{key}=a\n", f"[Mount]\n{key}=b\n")], {name: RUNS})
    assert (said(made.stop), said(made.start), len(made.notes)) == (stop, start, notes)


def test_an_automount_takes_its_mount_along() -> None:
    change = [file("d.automount", "[Automount]\nTimeoutIdleSec=1\n", "[Automount]\nTimeoutIdleSec=2\n")]
    made = plan(change, {"d.automount": RUNS, "d.mount": RUNS})
    assert (said(made.stop), said(made.start)) == (
        ["stop d.automount", "stop d.mount"],
        ["start d.automount"],
    )
    assert said(plan(change, {"d.automount": RUNS}).stop) == ["stop d.automount"]


def test_a_target_that_runs_starts_what_it_wants_since_now() -> None:
    change = [file("b.target", "[Unit]\nWants=a.service\n", "[Unit]\nWants=a.service c.service\n")]
    states = {"b.target": RUNS, "a.service": OVER}
    assert said(plan(change, states).start) == ["start c.service"], "and a.service stays as somebody left it"
    assert not plan(change, {"b.target": OVER}).start


def test_units_that_are_spared_are_not_where_the_definition_says_so() -> None:
    change = [file("getty@tty1.service.d/x.conf", None, "[Service]\nNice=1\n")]
    states = {"getty@tty1.service": RUNS, "dbus.service": RUNS}
    unit = Unit(dropins={"x": "..."}, on_change="stop-start")
    made = plan(change, states, {}, {"getty@tty1.service": unit})
    assert said(made.stop) == ["stop getty@tty1.service"]
    assert said(plan(change, states, {}, {"getty@tty1.service": Unit(on_change="reload")}).start) == [
        "reload getty@tty1.service"
    ]
    bus = [file("dbus.service.d/x.conf", None, "[Service]\nNice=1\n")]
    made = plan(bus, states, {}, {"dbus.service": Unit(on_change="stop-start")})
    assert (made.stop, made.start) == ((), ())
    why = spared("dbus.service")
    assert why is not None and why.reason in made.notes[0]
    assert spared("cron.service") is None and spared("dev-hugepages.mount") is not None


def test_the_unit_that_the_engine_runs_in_is_left_alone() -> None:
    change = [file("deploy.service", OLD, NEW)]
    assert plan(change, {"deploy.service": RUNS}, own="deploy.service") == UnitPlan()


def test_what_still_uses_files_that_are_gone_is_restarted_but_for_units_that_are_spared() -> None:
    names = [
        "cron.service",
        "dbus.service",
        "gdm3.service",
        "holdfast-switch.service",
        "session-1.scope",
        "getty@tty1.service",
    ]
    jobs = stale_jobs(Stale(name, (), ("/usr/lib/libc.so.6",)) for name in names)
    assert said(jobs) == ["restart cron.service"]
