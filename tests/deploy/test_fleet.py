from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.errors import HoldfastError
from holdfast.deploy.fleet import Batch, Fleet, Policy, parse_batch, waves
from holdfast.deploy.results import HostResult, UnconfirmedError, UnreachableError, exit_code, failure
from tests.examples import at_most


def fleet(failing: set[int], policy: Policy, begun: list[int] | None = None) -> Fleet[int]:
    def work(item: int) -> HostResult:
        if item in failing:
            return HostResult(str(item), None, "taken-back", 3)
        return HostResult(str(item), None, "changed")

    return Fleet(
        work,
        lambda item: HostResult(str(item), None, "skipped"),
        policy=policy,
        begun=(begun if begun is not None else []).append,
        ended=lambda result: None,
        abandon=lambda: None,
    )


@pytest.mark.parametrize(
    ("text", "total", "size"),
    [("5", 100, 5), ("10%", 100, 10), ("10%", 3, 1), ("100%", 7, 7), ("33%", 10, 3)],
)
def test_batches(text: str, total: int, size: int) -> None:
    assert parse_batch(text).size(total) == size


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "-1", "ten", "1.5", "5 %%"])
def test_no_batches(text: str) -> None:
    with pytest.raises(HoldfastError, match="no size of a batch"):
        parse_batch(text)


@at_most(30)
@given(st.lists(st.integers(), max_size=30), st.integers(1, 40))
def test_waves_are_everything_in_order(items: list[int], number: int) -> None:
    cut = waves(items, Batch(number))
    assert [item for wave in cut for item in wave] == items
    assert all(0 < len(wave) <= number for wave in cut)


def test_results_are_in_order_whoever_ends_first() -> None:
    gate = threading.Event()

    def work(item: int) -> HostResult:
        if item == 0:
            assert gate.wait(10)
        elif item == 3:
            gate.set()
        return HostResult(str(item), None, "unchanged")

    run = Fleet(
        work,
        work,
        policy=Policy(parallel=4),
        begun=lambda _: None,
        ended=lambda _: None,
        abandon=lambda: None,
    )
    assert [result.name for result in run.run(range(4))] == ["0", "1", "2", "3"]


def test_the_next_wave_begins_only_when_the_one_before_went_well() -> None:
    results = fleet({1}, Policy(batch=Batch(2))).run(range(6))
    assert [result.state for result in results] == ["changed", "taken-back", *["skipped"] * 4]
    results = fleet({3}, Policy(batch=Batch(2))).run(range(6))
    assert [result.state for result in results] == ["changed"] * 3 + ["taken-back"] + ["skipped"] * 2


def test_failures_may_be_allowed() -> None:
    results = fleet({1, 3, 4}, Policy(1, Batch(2), 1)).run(range(6))
    assert [result.state for result in results] == [
        *("changed", "taken-back", "changed", "taken-back"),
        *("skipped", "skipped"),
    ]


def test_without_waves_everyone_is_tried_unless_a_limit_is_given() -> None:
    begun: list[int] = []
    assert len(fleet({0, 1}, Policy(1), begun).run(range(5))) == 5
    assert begun == [0, 1, 2, 3, 4]
    begun.clear()
    results = fleet({0, 1}, Policy(1, max_failures=0), begun).run(range(5))
    assert begun == [0]
    assert [result.state for result in results][1:] == ["skipped"] * 4


def test_never_more_at_a_time_than_allowed() -> None:
    now, most, lock = 0, 0, threading.Lock()

    def work(item: int) -> HostResult:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        threading.Event().wait(0.005)
        with lock:
            now -= 1
        return HostResult(str(item), None, "changed")

    Fleet(
        work,
        work,
        policy=Policy(parallel=3),
        begun=lambda _: None,
        ended=lambda _: None,
        abandon=lambda: None,
    ).run(range(12))
    assert 1 < most <= 3


def test_who_is_interrupted_waits_for_nobody() -> None:
    abandoned, ended = threading.Event(), list[HostResult]()

    def work(item: int) -> HostResult:
        if item == 0:
            raise KeyboardInterrupt
        assert abandoned.wait(10)
        return HostResult(str(item), None, "unreachable", 8)

    run = Fleet(
        work,
        work,
        policy=Policy(parallel=2),
        begun=lambda _: None,
        ended=ended.append,
        abandon=abandoned.set,
    )
    with pytest.raises(KeyboardInterrupt):
        run.run(range(9))
    assert ended == []


def test_the_exit_code_is_that_of_the_worst() -> None:
    def results(*codes: int) -> list[HostResult]:
        return [HostResult("", None, "changed", code) for code in codes]

    assert exit_code(results(0, 0)) == 0
    assert exit_code([]) == 0
    assert exit_code(results(0, 7)) == 7
    assert exit_code(results(6, 5, 7)) == 5
    assert exit_code(results(5, 8, 0)) == 8
    assert exit_code(results(8, 1)) == 1
    assert exit_code(results(1, 3, 8)) == 3
    assert exit_code(results(3, 4)) == 4


def test_errors_become_results() -> None:
    assert failure("h", None, UnreachableError("gone")).state == "unreachable"
    lost = failure("h", None, UnconfirmedError("lost"))
    assert (lost.state, lost.code) == ("unconfirmed", 3)
    plain = failure("h", "web", HoldfastError("no", details="d", resolution="r"))
    assert (plain.state, plain.code, plain.details, plain.resolution) == ("failed", 1, "d", "r")
