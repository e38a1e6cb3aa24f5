"""Long chains are answers up to the bound, and an error of ours beyond it; cycles print the chain."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import new_class
from typing import Any

import pytest

from holdfast.options import INT, Config, Module, OptionSet, attrs_of, evaluate, lazy, option
from tests.options.samples import Sysctl, Systemd, Web, config, line, told


class Chain(OptionSet, path="chain"):
    links = option(attrs_of(INT))


def chain(length: int) -> Callable[[Module], None]:
    def module(m: Module) -> None:
        m[Chain].links["0"] = 0
        for number in range(1, length):
            m[Chain].links[str(number)] = lazy(lambda c: c[Chain].links[str(number - 1)] + 1)  # noqa: B023

    return module


def option_chain(length: int) -> type[OptionSet]:
    def link(number: int) -> Any:
        return lazy(lambda c: getattr(c[made[0]], f"o{number - 1}") + 1) if number else 0

    made: list[type[OptionSet]] = []
    options = {f"o{number}": option(INT, default=link(number)) for number in range(length)}
    made.append(new_class("Links", (OptionSet,), {}, lambda namespace: namespace.update(options)))
    return made[0]


@pytest.mark.parametrize("length", [2, 39, 40, 41, 400, pytest.param(3990, marks=pytest.mark.slow)])
def test_long_chains_resolve(length: int) -> None:
    limit = sys.getrecursionlimit()
    c = evaluate([chain(length)], sets=[Chain])
    assert c[Chain].links[str(length - 1)] == length - 1
    cls = option_chain(length)
    assert getattr(evaluate([], sets=[cls])[cls], f"o{length - 1}") == length - 1
    assert sys.getrecursionlimit() == limit


def test_long_chains_through_conditions_and_helpers() -> None:
    def through(c: Config, number: int, depth: int = 20) -> int:
        return through(c, number, depth - 1) if depth else c[Chain].links[str(number)]

    def module(m: Module) -> None:
        m[Chain].links["0"] = 0
        for number in range(1, 1500):
            with m.when(lambda c: c[Chain].links[str(number - 1)] >= 0):  # noqa: B023
                m[Chain].links[str(number)] = lazy(lambda c: through(c, number - 1) + 1)  # noqa: B023

    assert evaluate([module], sets=[Chain])[Chain].links["1499"] == 1499
    assert len(evaluate([module], sets=[Chain])[Chain].links) == 1500


@pytest.mark.slow
def test_chains_are_bounded_with_our_error() -> None:
    c = evaluate([chain(5000)], sets=[Chain])
    message = told(lambda: c[Chain].links["4999"])
    assert "more than 4000 options each need the next one" in message
    assert "needed by chain.links.4999" in message
    assert len(message.splitlines()) < 20
    assert c[Chain].links["3000"] == 3000  # and the config is none the worse


@pytest.mark.slow
def test_everything_at_once_survives_a_long_chain() -> None:
    c = evaluate([chain(3000)], sets=[Chain])
    assert c.verify() == ()
    assert len(c.data()["chain"]["links"]) == 3000


@pytest.mark.slow
def test_endless_recursion_of_the_author_is_an_error() -> None:
    def plainly(c: Config) -> int:
        return plainly(c)

    def through_c(c: Config) -> int:
        return max([1, 2], key=lambda one: through_c(c))

    for forever in (plainly, through_c):
        c = config(lambda m: setattr(m[Web], "port", lazy(forever)))  # noqa: B023
        message = told(lambda: c[Web].port)  # noqa: B023
        assert "the lazy value of web.port failed: RecursionError" in message


def test_cycles_print_the_chain() -> None:
    def module(m: Module) -> None:
        m[Web].user = lazy(lambda c: c[Web].text)
        m[Web].text = lazy(lambda c: c[Systemd].default_target)
        with m.when(lambda c: c[Web].user == "x"):
            m[Systemd].default_target = "graphical.target"

    message = told(lambda: config(module)[Web].user)
    assert message.splitlines() == [
        "web.user depends on itself.",
        f"  web.user needs web.text (at {line(module, 'c[Web].text')})",
        f"  web.text needs systemd.default_target (at {line(module, 'c[Systemd]')})",
        f"  systemd.default_target needs web.user for a condition (at {line(module, 'm.when')})",
        "Break the circle: give one of these options a value that reads none of the others.",
    ]


def test_an_option_that_reads_itself() -> None:
    def module(m: Module) -> None:
        m[Web].ports = lazy(lambda c: [*c[Web].ports, 1])

    message = told(lambda: config(module)[Web].ports)
    assert f"web.ports needs web.ports (at {line(module, 'lazy')})" in message


def test_keys_that_depend_on_themselves() -> None:
    def module(m: Module) -> None:
        with m.when(lambda c: "a" not in c[Sysctl]):
            m[Sysctl]["a"] = "1"

    assert f"kernel.sysctl.a needs kernel.sysctl.a for a condition (at {line(module, 'm.when')})" in told(
        lambda: list(config(module)[Sysctl])
    )
