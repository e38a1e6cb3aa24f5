"""Option sets and small verbs that the tests of this package share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.options import (
    ARGV,
    BOOL,
    INT,
    LINES,
    STR,
    Config,
    KeyedSet,
    Module,
    OptionSet,
    Type,
    ValueSet,
    attrs_of,
    entry_name,
    evaluate,
    list_of,
    null_or,
    option,
    submodule,
)


class File(OptionSet):
    text = option(null_or(LINES))
    mode = option(STR, default="0644")


class Files(KeyedSet[File], path="files"):
    """Files by path."""


class Sysctl(ValueSet[str, str], of=STR, path="kernel.sysctl"):
    """Kernel settings."""


class Service(OptionSet):
    name = entry_name()
    exec_start = option(ARGV)
    after = option(list_of(STR))
    user = option(STR, default="root")
    environment = option(attrs_of(STR))
    section = option(attrs_of(attrs_of(STR)))
    description = option(STR)

    @description.fallback
    def default_description(self) -> str:
        return f"The {self.name} service"


class Hardening(OptionSet, extends=Service):
    strict = option(BOOL, default=False)


class Systemd(OptionSet, path="systemd"):
    services = option(attrs_of(submodule(Service)))
    default_target = option(STR, default="multi-user.target")


class Web(OptionSet, path="web"):
    enable = option(BOOL, default=False)
    user = option(STR, default="www-data")
    port = option(INT, default=80)
    ports = option(list_of(INT))
    text = option(LINES)
    env = option(attrs_of(STR))


SETS: tuple[type[OptionSet], ...] = (Files, Sysctl, Systemd, Hardening, Web)


def config(*modules: Callable[[Module], None] | type[OptionSet], **details: Any) -> Config:
    return evaluate(modules, sets=details.pop("sets", SETS), **details)


def told(work: Callable[[], object]) -> str:
    """What the error of ``work`` says."""
    with pytest.raises(HoldfastError) as caught:
        work()
    return str(caught.value)


def refused(*modules: Callable[[Module], None], **details: Any) -> str:
    """What an evaluation that resolves everything says about what is wrong with these modules."""
    return told(lambda: config(*modules, **details).verify())


def line(function: Callable[..., object], text: str) -> str:
    """``file:line`` of the line of ``function`` that contains ``text``."""
    lines, first = inspect.getsourcelines(function)
    for number, one in enumerate(lines):
        if text in one:
            return f"{inspect.getsourcefile(function)}:{first + number}".removeprefix(f"{_here()}/")
    raise AssertionError(f"{text!r} is not in {function}")


def _here() -> str:
    from pathlib import Path

    return str(Path.cwd())


def merged(type_: Type[Any, Any], *values: Any) -> Any:
    """What one option of a type becomes when each value is assigned by a module of its own."""

    class One(OptionSet, path="one"):
        value = option(type_)

    def assign(value: Any) -> Callable[[Module], None]:
        def module(m: Module) -> None:
            m[One].value = value

        return module

    return evaluate([assign(value) for value in values], sets=[One])[One].value
