from __future__ import annotations

import time

import pytest

from holdfast.machine.waiting import Deadline

pytestmark = pytest.mark.slow  # it starts programs or waits for them


def test_a_missed_deadline_says_what_for_and_shows_evidence() -> None:
    error = Deadline.after(1.5, "nginx.service of web", lambda: "last words").missed("It is activating.")
    assert str(error).splitlines() == [
        "gave up waiting for nginx.service of web after 1.5 seconds",
        "It is activating.",
        "last words",
        "If it only needs longer, give a larger timeout=.",
    ]


def test_evidence_is_fetched_only_when_needed() -> None:
    fetched: list[str] = []

    def evidence() -> str:
        fetched.append("once")
        return ""

    deadline = Deadline.after(1, "x", evidence)
    assert deadline.left > 0
    assert fetched == []
    deadline.missed()
    assert fetched == ["once"]


def test_attempts_come_at_once_and_end_with_the_deadline() -> None:
    started = time.monotonic()
    turns = [time.monotonic() - started for _ in Deadline.after(0.2, "x", str).attempts()]
    assert turns[0] < 0.05
    assert 0.19 <= turns[-1] < 0.5
    assert 3 <= len(turns) < 20


def test_a_deadline_in_the_past_still_gives_one_attempt() -> None:
    assert len(list(Deadline.after(0, "x", str).attempts())) == 1
