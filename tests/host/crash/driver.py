"""Runs inside a machine under test: many interrupted runs in one process, asked for in JSON on stdin, told in JSON on stdout."""

from __future__ import annotations

import json
import random
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

from holdfast.host import operations
from holdfast.host.change import Wanted
from tests.host.crash import subject
from tests.host.crash.subject import Subject, Wrong, die, steps_of
from tests.host.crash.systems import large

Asked = dict[str, Any]  # Any: JSON


def _large() -> Subject:
    one = Subject({"A": Wanted(large("A")), "B": Wanted(large("B"))})
    one.settle()
    return one


def kill_at_steps(asked: Asked) -> Asked:
    """SIGKILL at every step of the journal, of a switch and of taking it back; this chunk's part of them."""
    one = _large()
    chance = random.Random(asked["seed"])
    points = one.points()
    chosen = steps_of(points, asked["stride"])[asked["chunk"] :: asked["chunks"]]
    for number, index in enumerate(chosen):
        where = f"killed at checkpoint {index} ({points[index]})"
        with _explained(where):
            killed = die(one.towards(one.other, "switch"), at=index)
            if not killed:
                raise Wrong("the run ended before it came there")
            if number % 3 == 0:
                die(operations.recover, at=chance.randrange(40))
            one.recovered(operations.recover, ("A", "B"))
            one.forget_old()
    return {"points": len(points), "chosen": len(chosen), "outcomes": one.outcomes, "longest": one.seconds}


def kill_recovery_at_steps(asked: Asked) -> Asked:
    """SIGKILL before the commit, and then at every step of taking back."""
    one = _large()
    points = one.points()
    last = max(index for index, point in enumerate(points) if point.startswith("begin"))
    back: list[str] = []
    die(one.towards(one.other, "switch"), at=last)
    with subject.live() as machine:
        machine.checkpoint = back.append
        operations.recover(machine)
    one.check((one.now,))
    chosen = [
        index
        for index, place in enumerate(back)
        if not subject.is_one_file(place) or index % asked["stride"] == 0
    ]
    for index in chosen:
        with _explained(f"killed at {points[last]}, then at {back[index]} of taking it back"):
            die(one.towards(one.other, "switch"), at=last)
            if not die(operations.recover, at=index):
                raise Wrong("the recovery ended before it came there")
            one.recovered(operations.recover, (one.now,))
            one.forget_old()
    return {"points": len(back), "chosen": len(chosen), "outcomes": one.outcomes}


def kill_at_random(asked: Asked) -> Asked:
    """SIGKILL at random moments of switches and rollbacks, and of what comes next."""
    one = _large()
    chance = random.Random(asked["seed"])
    moments = 0
    again = 0
    while moments < asked["moments"]:
        verb = chance.choice(["switch", "rollback"])
        after = chance.uniform(0, one.seconds)
        where = f"moment {moments}: {verb} to {one.other} killed after {after:.3f} s of {one.seconds:.3f}"
        with _explained(where):
            old = one.now
            moments += die(one.towards(one.other, verb), after=after)
            name, verb_next, expected = one.next_command(chance)
            if chance.random() < 0.2:
                again += die(verb_next, after=chance.uniform(0, one.seconds))
                where += ", again"
            where += f", then {name}"
            with _explained(f"then {name}"):
                one.now = old
                one.recovered(verb_next, expected)
                one.forget_old()
    return {"moments": moments, "again": again, "outcomes": one.outcomes, "longest": one.seconds}


class _explained:
    """Says where it was when something is wrong."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Exception):
            details = getattr(error, "details", "")
            raise Wrong(f"{self._where}: {type(error).__name__}: {error}\n{details}") from error


DO: dict[str, Callable[[Asked], Asked]] = {
    "kill-at-steps": kill_at_steps,
    "kill-recovery-at-steps": kill_recovery_at_steps,
    "kill-at-random": kill_at_random,
}


def main() -> None:
    asked: Asked = json.load(sys.stdin)
    started, cpu = time.monotonic(), time.process_time()
    try:
        answer = DO[asked["do"]](asked)
    except Exception as error:
        answer = {"wrong": str(error), "trace": traceback.format_exc()}
    answer |= {"seconds": round(time.monotonic() - started, 2), "cpu": round(time.process_time() - cpu, 2)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
