from __future__ import annotations

import threading

import pytest

from holdfast.base.events import (
    Event,
    Message,
    OutputLine,
    StageAdvanced,
    StageEnded,
    StageStarted,
    emit,
    listen,
    message,
    stage,
)


def test_listeners_hear_only_during_their_body_and_all_of_them() -> None:
    outer: list[Event] = []
    inner: list[Event] = []
    message("nobody hears")
    with listen(outer.append):
        message("one")
        with listen(inner.append):
            emit(OutputLine("two"))
        message("three", level="warning")
    message("nobody hears")
    assert outer == [Message("info", "one"), OutputLine("two"), Message("warning", "three")]
    assert inner == [OutputLine("two")]


def test_a_listener_that_raises_is_still_taken_away() -> None:
    def fail(event: Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), listen(fail):
        message("x")
    message("y")


def test_stages_nest_and_tell_amounts_and_notes() -> None:
    events: list[Event] = []
    with listen(events.append), stage("Building", total=2, unit="steps") as outer:
        outer.advance()
        with stage("Packing") as inner:
            inner.advance(512)
            inner.note = "cached"
        outer.advance()
    started = [event for event in events if isinstance(event, StageStarted)]
    assert [(event.title, event.total, event.unit) for event in started] == [
        ("Building", 2, "steps"),
        ("Packing", None, ""),
    ]
    assert started[0].parent is None and started[1].parent == started[0].stage
    assert [(e.stage, e.done) for e in events if isinstance(e, StageAdvanced)] == [
        (started[0].stage, 1),
        (started[1].stage, 512),
        (started[0].stage, 2),
    ]
    ended = [event for event in events if isinstance(event, StageEnded)]
    assert [(event.title, event.failed, event.note) for event in ended] == [
        ("Packing", False, "cached"),
        ("Building", False, ""),
    ]
    assert all(event.seconds >= 0 for event in ended)


def test_a_stage_that_raises_has_failed_and_the_next_one_is_no_child_of_it() -> None:
    events: list[Event] = []
    with listen(events.append):
        with pytest.raises(ZeroDivisionError), stage("Failing"):
            raise ZeroDivisionError
        with stage("Next"):
            pass
    assert [event.failed for event in events if isinstance(event, StageEnded)] == [True, False]
    assert [event.parent for event in events if isinstance(event, StageStarted)] == [None, None]


def test_a_stage_may_be_advanced_from_many_threads() -> None:
    events: list[Event] = []
    with listen(events.append), stage("Fetching", total=4000) as handle:

        def advance() -> None:
            for _ in range(500):
                handle.advance()

        threads = [threading.Thread(target=advance) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    advances = [event.done for event in events if isinstance(event, StageAdvanced)]
    assert sorted(advances) == list(range(1, 4001))
