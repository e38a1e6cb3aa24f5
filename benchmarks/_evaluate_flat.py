"""Workload: 3,000 list options with two definitions each, evaluated in a forked child, JSON out."""

from __future__ import annotations

from types import new_class

from holdfast.options import INT, Module, OptionSet, evaluate, list_of, option

COUNT = 3000


def declare() -> type[OptionSet]:
    options = {f"o{number}": option(list_of(INT)) for number in range(COUNT)}
    return new_class("Flat", (OptionSet,), {"path": "flat"}, lambda namespace: namespace.update(options))


Flat = declare()


def first(m: Module) -> None:
    flat = m[Flat]
    for number in range(COUNT):
        setattr(flat, f"o{number}", [number])


def second(m: Module) -> None:
    flat = m[Flat]
    for number in range(COUNT):
        setattr(flat, f"o{number}", [number + 1])


def work() -> dict[str, object]:
    """Evaluate: plain data."""
    return evaluate([first, second], sets=[Flat]).data()
