"""How machines are reached: the options for that, which the commands for machines share."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.cli.arguments import complete_system
from holdfast.engine.exits import Exit

F = TypeVar("F", bound=Callable[..., Any])  # Any: click decorates functions of any signature


@dataclass(frozen=True)
class Reach:
    """What the shared options say."""

    hosts: tuple[str, ...]
    ssh_options: tuple[str, ...]
    ask_sudo_password: bool
    connect_timeout: int
    root: Path | None
    parallel: int
    batch: str | None
    max_failures: int | None
    wait: int | None
    as_json: bool
    verbose: bool
    systems: tuple[str, ...] = ()


_WAYS = (
    click.option(
        "--ssh-option",
        "ssh_options",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of ssh_config(5), before those of your own configuration.",
    ),
    click.option(
        "--ask-sudo-password", is_flag=True, help="Ask once for the password that sudo wants over there."
    ),
    click.option(
        "--connect-timeout", type=click.IntRange(1), default=10, show_default=True, metavar="SECONDS",
        help="How long to wait for an answer.",
    ),
)  # fmt: skip
_TARGETS = (
    click.option(
        "--target-host",
        "hosts",
        multiple=True,
        metavar="USER@HOST",
        help="Work on this machine over ssh; may be repeated. 'local' is this one.",
    ),
    *_WAYS,
    click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Work below this directory: the root of a machine that does not run.",
    ),
    click.option(
        "--parallel", type=click.IntRange(1), default=10, show_default=True, metavar="N",
        help="How many machines at a time.",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Show what the programs that run print."),
    click.option(
        "--json", "as_json", is_flag=True, help="Print the result as JSON; progress as JSON lines on stderr."
    ),
)  # fmt: skip
_BY_SYSTEM = click.option(
    "--system", "systems",
    multiple=True, metavar="NAME", shell_complete=complete_system,
    help="Work on the machines of these systems: a name, a glob or tag:NAME; may be repeated.",
)  # fmt: skip
_CHANGING = (
    click.option("--batch", metavar="N|N%", help="Work in waves of so many; after a failure no next one begins."),
    click.option(
        "--max-failures", type=click.IntRange(0), metavar="N",
        help="Begin no machine any more once more than N failed.",
    ),
    click.option(
        "--wait", type=click.IntRange(1, 7 * 86400), metavar="SECONDS",
        help="How long to wait for another change that is under way there.",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Way:
    """What the options say of the way to one machine."""

    ssh_options: tuple[str, ...] = ()
    ask_sudo_password: bool = False
    connect_timeout: int = 10


def way_options(function: F) -> F:
    """Options for commands that look at one machine, handed to them as ``way``."""

    @functools.wraps(function)
    def collected(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, way=Way(*map(options.pop, Way.__dataclass_fields__)), **options)

    made: Any = collected
    for option in reversed(_WAYS):
        made = option(made)
    return made  # type: ignore[no-any-return]


_PACKAGES = (
    ("--irreversible-packages", "Go on although the old packages cannot be had any more."),
    ("--exact", "Give every package of ours the locked version, also where a newer one is installed."),
    ("--purge-packages", "Remove the configuration of our packages that go, too. It may delete data."),
    ("--remove-protected", "Also remove what the machine needs, where the definition says so."),
    ("--restart-stale", "Restart services that still use files that packages replaced."),
)


def package_options(function: F) -> F:
    """How far a change of packages may go, handed to the command as ``packages``: flags with whether they were given."""
    names = {flag.removeprefix("--").replace("-", "_"): flag for flag, _ in _PACKAGES}

    @functools.wraps(function)
    def collected(*arguments: Any, **options: Any) -> Any:
        given = [(bool(options.pop(name)), flag) for name, flag in names.items()]
        return function(*arguments, packages=given, **options)

    made: Any = collected
    for flag, text in reversed(_PACKAGES):
        made = click.option(flag, is_flag=True, help=text)(made)
    return made  # type: ignore[no-any-return]


def machine_options(*, changing: bool, by_system: bool = False) -> Callable[[F], F]:
    """The shared options, handed to the command as one ``reach``. ``by_system``: with those of :func:`machine_aims`."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def collected(*arguments: Any, **options: Any) -> Any:
            shared = {name: options.pop(name) for name in Reach.__dataclass_fields__ if name in options}
            for name in ("batch", "max_failures", "wait"):
                shared.setdefault(name, None)
            reach = Reach(**shared)
            _check(reach)
            return function(*arguments, reach=reach, **options)

        made: Any = collected
        options = (*((_BY_SYSTEM,) if by_system else ()), *_TARGETS, *(_CHANGING if changing else ()))
        for option in reversed(options):
            made = option(made)
        return made  # type: ignore[no-any-return]

    return decorate


def _check(reach: Reach) -> None:
    """Raises:
    HoldfastError: something on the command line cannot be meant; with the exit code of wrong usage.
    """
    from holdfast.deploy.fleet import parse_batch

    if reach.root is not None and reach.hosts:
        raise click.UsageError(
            "--root and --target-host exclude each other.", click.get_current_context(silent=True)
        )
    check_ways(reach.hosts, reach.ssh_options)
    try:
        if reach.batch:
            parse_batch(reach.batch)
    except HoldfastError as error:
        error.exit_code = Exit.USAGE
        raise


def check_ways(hosts: Sequence[str], ssh_options: Sequence[str]) -> None:
    """Raises:
    HoldfastError: one of them cannot be meant; with the exit code of wrong usage.
    """
    if not hosts and not ssh_options:
        return
    from holdfast.deploy.ssh import parse_destination, parse_option

    try:
        for host in hosts:
            parse_destination(host)
        for option in ssh_options:
            parse_option(option)
    except HoldfastError as error:
        error.exit_code = Exit.USAGE
        raise


def ask_password() -> str:
    """From the terminal; where stdin is none, its first line.

    Raises:
        HoldfastError: there is none.
    """
    if sys.stdin.isatty():
        return str(click.prompt("Password for sudo over there", hide_input=True, err=True))
    password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise HoldfastError(
            "--ask-sudo-password: stdin is no terminal, and its first line is empty",
            resolution="Run the command on a terminal, or write the password to its stdin.",
        )
    return password
