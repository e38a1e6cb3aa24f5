"""Workload: 300 submodules of 30 options, 1,800 definitions in three modules, in a forked child, JSON out."""

from __future__ import annotations

from types import new_class

from holdfast.options import INT, STR, Module, OptionSet, attrs_of, evaluate, list_of, option, submodule

ENTRIES = 300


def declare() -> type[OptionSet]:
    options = {f"s{number}": option(STR, default=f"value {number}") for number in range(10)}
    numbers = {f"i{number}": option(INT, default=number) for number in range(10)}
    lists = {f"l{number}": option(list_of(STR)) for number in range(10)}
    every = {**options, **numbers, **lists}
    return new_class("Entry", (OptionSet,), {}, lambda namespace: namespace.update(every))


Entry = declare()


class Nested(OptionSet, path="nested"):
    entries = option(attrs_of(submodule(Entry)))


def strings(m: Module) -> None:
    for number in range(ENTRIES):
        entry = m[Nested].entries[f"e{number}"]
        setattr(entry, "s0", f"a{number}")  # noqa: B010 - Entry's options are made in a loop, so no checker knows them
        setattr(entry, "l0", ["a"])  # noqa: B010


def numbers(m: Module) -> None:
    for number in range(ENTRIES):
        entry = m[Nested].entries[f"e{number}"]
        setattr(entry, "i0", number)  # noqa: B010
        setattr(entry, "l0", ["b"])  # noqa: B010


def lists(m: Module) -> None:
    for number in range(ENTRIES):
        entry = m[Nested].entries[f"e{number}"]
        setattr(entry, "l1", ["c", "d"])  # noqa: B010
        setattr(entry, "s1", "x")  # noqa: B010


def work() -> dict[str, object]:
    """Evaluate: plain data."""
    return evaluate([strings, numbers, lists], sets=[Nested]).data()
