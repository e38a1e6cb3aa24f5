"""Commands of the definition, with real commands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, Message, listen
from holdfast.host import tasks
from holdfast.host.live import Live, open_live
from holdfast.host.steps import RunHooks, RunTasks
from holdfast.manifest.model import Task
from tests.host.roots import blobs_of, make_root

ONCE, UNDONE, CHECKED = Task(("make",)), Task(("make",), undo=("unmake",)), Task(("make",), done=("true",))


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with open_live(make_root(tmp_path / "root"), blobs=blobs_of()) as opened:
        yield replace(opened, running=True)


@pytest.mark.parametrize(
    ("declared", "ran", "done", "due", "dropped"),
    [
        ({}, {}, {}, None, None),
        ({"a": ONCE}, {}, {}, ["a"], []),
        ({"a": ONCE}, {"a": ONCE}, {}, None, None),
        ({"a": UNDONE}, {"a": ONCE}, {}, ["a"], []),  # it is another one now
        ({"a": CHECKED}, {}, {"a": True}, None, None),  # somebody did it already
        ({"a": CHECKED}, {"a": CHECKED}, {"a": False}, ["a"], []),  # it ran, and somebody undid it
        ({}, {"a": UNDONE, "b": ONCE}, {}, [], ["a"]),  # only what can be taken back is
    ],
)
def test_what_is_due(
    declared: dict[str, Task],
    ran: dict[str, Task],
    done: dict[str, bool],
    due: list[str] | None,
    dropped: list[str] | None,
) -> None:
    step, have_run = tasks.plan_tasks(declared, ran, done)
    assert (sorted(step.tasks) if step else None) == due
    assert (sorted(step.dropped) if step else None) == dropped
    assert have_run == declared


def _say(log: Path, text: str) -> tuple[str, ...]:
    return ("/bin/sh", "-ec", f"echo {text} $HOLDFAST_PHASE >> {log}")


def test_they_run_in_order_and_back_in_reverse(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "log"
    made = {name: Task(_say(log, f"do-{name}"), undo=_say(log, f"undo-{name}")) for name in ("b", "a")}
    old = {name: Task(_say(log, f"do-{name}"), undo=_say(log, f"undo-{name}")) for name in ("y", "x")}
    there = replace(old["x"], done=("true",))  # it was not undone after all
    dropped, due = tasks.one_by_one(RunTasks(made, old))
    assert tasks.one_by_one(None) == ([], [])
    assert [[*step.dropped, *step.tasks] for step in (*dropped, *due)] == [["y"], ["x"], ["a"], ["b"]]
    for step in (*dropped, *due):
        tasks.do(step, live)
    for step in (due[0], *dropped[::-1]):  # the second one was not begun
        tasks.undo(step, live)
    tasks.undo(RunTasks({}, {"there": there}), live)
    tasks.do(RunHooks((_say(log, "hook"),), "before"), live)
    tasks.undo(RunHooks((("false",),), "after"), live)
    tasks.undo(
        RunTasks(made, old), replace(live, running=False)
    )  # on the disk of a machine that does not run
    assert log.read_text().split("\n")[:-1] == [
        *("undo-y", "undo-x", "do-a", "do-b", "undo-a", "do-x", "do-y"),
        "hook before",
    ]


def test_what_has_gone_with_its_package_keeps_nothing_from_being_given_back(live: Live) -> None:
    gone = {"a": Task(("x",), undo=("/nowhere/dropdb",)), "b": Task(("x",), undo=("true",), user="no-such")}
    told: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, Message):
            told.append(event.text)

    with listen(hear):
        tasks.do(RunTasks({}, gone), live)
    assert told == [
        "the task 'b' is dropped, and not undone: user no-such is not there any more",
        "the task 'a' is dropped, and not undone: /nowhere/dropdb is not there any more",
    ]


def test_failures_name_the_task(live: Live) -> None:
    with pytest.raises(HoldfastError, match="the task 'db' failed: ") as caught:
        tasks.do(RunTasks({"db": Task(("/bin/sh", "-c", "echo no database >&2; exit 3"))}), live)
    assert "no database" in caught.value.details
    assert tasks.check_tasks(
        {"a": Task(("x",), done=("true",)), "b": Task(("x",), done=("false",)), "c": ONCE}
    ) == {
        "a": True,
        "b": False,
    }
