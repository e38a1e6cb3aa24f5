"""Arguments and options that several commands share, with their completion."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from holdfast.base.errors import HoldfastError

F = TypeVar("F", bound=Callable[..., Any])  # Any: click decorates functions of any signature


def complete_system(
    _ctx: click.Context, _parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Names and tags of the project's systems, for the shell."""
    from holdfast.project.evaluation import list_systems
    from holdfast.project.selection import parse_selector

    prefix = incomplete.removesuffix(parse_selector(incomplete).pattern)
    if prefix and not prefix.endswith(":"):
        return []
    with suppress(HoldfastError):
        systems = list_systems(incomplete)
        names = [system.name for system in systems]
        tags = sorted({f"tag:{tag}" for system in systems for tag in system.tags})
        words = [f"{prefix}{word}" for word in (*names, *tags)]
        return [CompletionItem(word) for word in words if word.startswith(incomplete)]
    return []


def system_argument(function: F) -> F:
    return click.argument("system", default="", metavar="[SYSTEM]", shell_complete=complete_system)(function)


def one_system_argument(function: F) -> F:
    return click.argument("system", metavar="SYSTEM", shell_complete=complete_system)(function)


def json_option(function: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON; progress as JSON lines on stderr."
    )(function)


def verbose_option(function: F) -> F:
    return click.option("-v", "--verbose", is_flag=True, help="Show what the programs that run print.")(
        function
    )


def in_process_option(function: F) -> F:
    return click.option(
        "--in-process",
        is_flag=True,
        help="Run the definition in this process, not in an isolated child: for a debugger.",
    )(function)
