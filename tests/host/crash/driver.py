"""Runs inside a machine under test: many interrupted runs in one process, asked for in JSON on stdin, told in JSON on stdout."""

from __future__ import annotations

import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from holdfast.base.codec import decode
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.packages.wanted import WantedPackages
from tests.host.crash import subject
from tests.host.crash.subject import Subject, Wrong, die, steps_of
from tests.host.crash.systems import large, packaged

Asked = dict[str, Any]  # Any: JSON
_TOLD = Path("/holdfast-told/answer.json")
"""Not on the machine's own disk."""


def _large() -> Subject:
    one = Subject({"A": Wanted(large("A")), "B": Wanted(large("B"))})
    one.settle()
    return one


def kill_at_steps(asked: Asked) -> Asked:
    """SIGKILL at every step of the journal, of a switch and of taking it back; this chunk's part of them."""
    one = _large()
    chance = random.Random(asked["seed"])
    points = one.points
    chosen = steps_of(points, asked["stride"])[asked["chunk"] :: asked["chunks"]]
    for number, place in enumerate(chosen):
        with _explained(f"killed at {place}"):
            if not die(one.towards(one.other, "switch"), at=place):
                raise Wrong("the run ended before it came there")
            if number % 3 == 0:
                die(operations.recover, after=chance.uniform(0, one.window))
            one.recovered(operations.recover, ("A", "B"))
            if number % 5 == 0:
                one.forget_old()
    return {"points": len(points), "chosen": len(chosen), "outcomes": one.outcomes, "longest": one.seconds}


def kill_recovery_at_steps(asked: Asked) -> Asked:
    """SIGKILL before the commit, and then at every step of taking back."""
    one = _large()
    points = one.points
    last = next(point for point in reversed(points) if point.startswith("begin"))
    back: list[str] = []
    die(one.towards(one.other, "switch"), at=last)
    with subject.live() as machine:
        machine.checkpoint = back.append
        operations.recover(machine)
    one.check((one.now,))
    chosen = steps_of(back, asked["stride"])
    for place in chosen:
        with _explained(f"killed at {last}, then at {place} of taking it back"):
            die(one.towards(one.other, "switch"), at=last)
            if not die(operations.recover, at=place):
                raise Wrong("the recovery ended before it came there")
            one.recovered(operations.recover, (one.now,))
    return {"points": len(back), "chosen": len(chosen), "outcomes": one.outcomes}


def kill_at_random(asked: Asked) -> Asked:
    """SIGKILL at random moments of switches and rollbacks, and of what comes next."""
    one = _large()
    chance = random.Random(asked["seed"])
    moments = again = 0
    window = one.window
    while moments < asked["moments"]:
        verb, begun = chance.choice(["switch", "rollback"]), chance.random() < 0.9
        after = chance.uniform(0, window if begun else one.seconds)
        since = "its journal" if begun else "its start"
        with _explained(f"moment {moments}: {verb} to {one.other} killed {after:.3f} s after {since}"):
            moments += die(one.towards(one.other, verb), after=after, begun=begun)
            name, verb_next, expected = one.next_command(chance)
            if chance.random() < 0.15:
                after = chance.uniform(0, window)
                again += die(verb_next, after=after)
                name = f"{name}, killed after {after:.3f} s, then the same"
            with _explained(f"then {name}"):
                one.recovered(verb_next, expected)
                if moments % 5 == 0:
                    one.forget_old()
    return {"moments": moments, "again": again, "outcomes": one.outcomes, "longest": one.seconds}


def kill_with_packages(asked: Asked) -> Asked:
    """SIGKILL at random moments, and at every step, while packages change with the rest."""
    packages = {name: decode(WantedPackages, asked[name], what=name) for name in "AB"}
    one = Subject({name: Wanted(packaged(name), packages=packages[name]) for name in "AB"}, packages=True)
    one.settle()
    chance = random.Random(asked["seed"])
    named = [point for point in one.points if point.startswith("packages")]
    moments: list[str | None] = [*named, *[None] * asked["moments"]]
    killed = 0
    for number, at in enumerate(moments):
        after = chance.uniform(0, one.seconds)
        where = f"killed at {at}" if at is not None else f"killed after {after:.3f} s"
        with _explained(f"moment {number}: to {one.other}, {where}"):
            killed += die(one.towards(one.other, "rollback"), at=at, after=after)
            name, verb, expected = one.next_command(chance)
            with _explained(f"then {name}"):
                one.recovered(verb, expected)
    return {"killed": killed, "named": len(named), "outcomes": one.outcomes, "longest": one.seconds}


def cut_power(asked: Asked) -> Asked:
    """What a person does after a power cut, and the next power cut in the middle of a run: nothing is answered then, but noted before.

    Without ``references`` the machine is new.
    """
    chance = random.Random(f"{asked['seed']} {asked['number']}")
    one = Subject({"A": Wanted(large("A")), "B": Wanted(large("B"))})
    answer: Asked = {}
    if not asked.get("references"):
        one.settle()
        window = one.window
        answer = {"references": one.seen, "points": one.points, "window": window}
    else:
        subject.hurry()
        one.seen, one.now, one.spared = asked["references"], asked["now"], subject.spared()
        one.find_numbers()
        name, verb, expected = one.next_command(chance)
        if chance.random() < 0.1:
            die(verb, after=chance.uniform(0, asked["after"]))
            name = f"{name}, killed, then the same"
        with _explained(f"then {name}"):
            one.recovered(verb, expected)
        one.forget_old()
    answer |= {"now": one.now, "outcomes": one.outcomes}
    _TOLD.write_text(json.dumps(answer))
    if asked["last"]:
        return answer
    if asked["at"] is None:
        die(
            one.towards(one.other, chance.choice(["switch", "rollback"])),
            after=asked["after"],
            begun=True,
            power=True,
        )
    else:
        die(one.towards(one.other, "switch"), at=asked["at"], power=True)
    raise Wrong("the power was not cut")


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
    "kill-with-packages": kill_with_packages,
    "cut-power": cut_power,
}


def main() -> None:
    asked: Asked = json.load(sys.stdin)
    started = time.monotonic()
    try:
        answer = DO[asked["do"]](asked)
    except Exception as error:
        answer = {"wrong": str(error), "trace": traceback.format_exc()}
    spent = {"seconds": time.monotonic() - started, "cpu": sum(os.times()[:4])}
    answer |= {name: round(value, 1) for name, value in spent.items()}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
