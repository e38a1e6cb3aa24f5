"""From the options of the environment to what the shells' files are made of."""

from __future__ import annotations

from typing import Literal

from holdfast.library.assembling.problems import Problems
from holdfast.library.environment import Environment
from holdfast.library.rendering.shell import (
    ShellEnvironment,
    check_alias,
    check_session_value,
    check_variable,
)
from holdfast.options import Config

Field = Literal["variables", "session_variables", "service_variables"]


def plain_variables(c: Config, *fields: Field) -> dict[str, str]:
    """Variables by name, lists joined with colons.

    Raises:
        HoldfastError: names that no shell could set, or one variable with two values, each with its place.
    """
    mine = c[Environment]
    problems = Problems(c)
    made: dict[str, str] = {}
    for field in fields:
        for name, value in getattr(mine, field).items():
            if value is None:
                continue
            text = value if isinstance(value, str) else ":".join(value)
            with problems.at("environment", field, name):
                check_variable(name)
                if field == "session_variables":
                    check_session_value(text)
            if made.setdefault(name, text) != text:
                problems.add(f"variables has another value for {name}; keep one.", "environment", field, name)
    problems.raise_any("the environment")
    return made


def shell_environment(c: Config) -> ShellEnvironment:
    """What login shells get.

    Raises:
        HoldfastError: names that no shell could set, each with its place.
    """
    mine = c[Environment]
    problems = Problems(c)
    aliases: dict[str, str] = {}
    for name, command in mine.aliases.items():
        if command is not None:
            with problems.at("environment", "aliases", name):
                aliases[check_alias(name)] = command
    problems.raise_any("the environment")
    return ShellEnvironment(
        variables=plain_variables(c, "variables", "session_variables"),
        prepend=mine.path_prepend,
        append=mine.path_append,
        data_dirs=mine.data_dirs,
        config_dirs=mine.config_dirs,
        init=mine.extra_init,
        interactive=mine.interactive_init,
        aliases=aliases,
    )


def session_environment(c: Config) -> ShellEnvironment:
    """What each user's systemd gets.

    Raises:
        HoldfastError: names that cannot be set, each with its place.
    """
    mine = c[Environment]
    return ShellEnvironment(
        variables=plain_variables(c, "session_variables"),
        prepend=mine.path_prepend,
        append=mine.path_append,
        data_dirs=mine.data_dirs,
        config_dirs=mine.config_dirs,
    )
