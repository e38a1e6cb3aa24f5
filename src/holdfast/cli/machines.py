"""What the commands for machines share: which machines, how to reach them, doing it on one or many, and showing what came of it."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.base.style import shows_colours
from holdfast.cli.arguments import complete_system
from holdfast.cli.progress import show_progress
from holdfast.deploy.transport import LOCAL
from holdfast.engine.exits import Exit

if TYPE_CHECKING:
    from holdfast.deploy.results import HostResult
    from holdfast.deploy.transport import Transport
    from holdfast.deploy.working import Generation, Job
    from holdfast.project.evaluation import EvaluatedSystem, Evaluation

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


_TARGETS = (
    click.option(
        "--target-host",
        "hosts",
        multiple=True,
        metavar="USER@HOST",
        help="Work on this machine over ssh; may be repeated. 'local' is this one.",
    ),
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

_PACKAGES = (
    ("--irreversible-packages", "Go on although the old packages cannot be had any more."),
    ("--exact", "Give every package of ours the locked version, also where a newer one is installed."),
    ("--purge-packages", "Remove the configuration of our packages that go, too. It may delete data."),
    ("--remove-protected", "Also remove what the machine needs, where the definition says so."),
    ("--restart-stale", "Restart services that still use files that packages replaced."),
)


def words(*parts: str | None, flags: Sequence[tuple[bool, str]] = ()) -> tuple[str, ...]:
    """A verb of the engine with its arguments: parts that are None and flags that are not set are left out (pure)."""
    return (*(part for part in parts if part is not None), *(flag for given, flag in flags if given))


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

    try:
        if reach.batch:
            parse_batch(reach.batch)
        if reach.hosts or reach.ssh_options:
            from holdfast.deploy.ssh import parse_destination, parse_option

            for host in reach.hosts:
                parse_destination(host)
            for option in reach.ssh_options:
                parse_option(option)
    except HoldfastError as error:
        error.exit_code = Exit.USAGE
        raise


@dataclass(frozen=True)
class Aim:
    """One machine and what it is to be."""

    host: str
    system: EvaluatedSystem | None = None


def aims_of(evaluation: Evaluation, reach: Reach, *, named: bool) -> tuple[Aim, ...]:
    """Which systems go where. ``named``: the person said which systems; else the one for this machine is looked for.

    Raises:
        HoldfastError: that cannot be told.
    """
    if reach.root is not None and reach.hosts:
        raise click.UsageError("--root and --target-host exclude each other.")
    if reach.hosts or reach.root is not None:
        system = evaluation.only() if named else _for_this_machine(evaluation)
        return tuple(Aim(host, system) for host in dict.fromkeys(reach.hosts or (LOCAL,)))
    if not named:
        system = _for_this_machine(evaluation)
        only = len(evaluation.systems) == 1
        return (Aim((system.manifest.target if only else None) or LOCAL, system),)
    if len(evaluation.systems) == 1:
        (system,) = evaluation.systems
        return (Aim(system.manifest.target or LOCAL, system),)
    return tuple(Aim(_home(system, evaluation), system) for system in evaluation.systems)


def _home(system: EvaluatedSystem, evaluation: Evaluation) -> str:
    """The machine that a system is for."""
    if system.manifest.target is not None:
        return system.manifest.target
    homeless = [one.name for one in evaluation.systems if one.manifest.target is None]
    raise HoldfastError(
        f"these systems do not say which machine they are for: {', '.join(homeless)}",
        resolution='Write System(..., target="root@HOST"), or name one system and --target-host.',
    )


def _for_this_machine(evaluation: Evaluation) -> EvaluatedSystem:
    """The only system, or the one with this machine's name."""
    if len(evaluation.systems) == 1:
        return evaluation.systems[0]
    here = os.uname().nodename
    names = {here, here.partition(".")[0]}
    found = [
        system
        for system in evaluation.systems
        if system.name in names or system.manifest.identity.hostname in names
    ]
    if len(found) == 1:
        return found[0]
    raise HoldfastError(
        f"none of the systems is {here}, and there are several",
        details=f"{evaluation.file} has: {', '.join(evaluation.all_names)}",
        resolution="Name one, several by a glob ('web*', '*'), or tag:NAME.",
    )


def machine_aims(reach: Reach) -> tuple[Aim, ...]:
    """The machines that the command line names, or those of the systems that it names; else this one.

    Raises:
        HoldfastError: there is no such system, or it does not say which machine it is for.
    """
    if not reach.systems:
        return tuple(Aim(host) for host in dict.fromkeys(reach.hosts or (LOCAL,)))
    from holdfast.project.evaluation import evaluate

    if reach.hosts or reach.root is not None:
        raise click.UsageError("--system says which machines: leave out --target-host and --root.")
    evaluations = [evaluate(selector) for selector in reach.systems]
    aims = [
        Aim(_home(system, evaluation), system) for evaluation in evaluations for system in evaluation.systems
    ]
    return tuple({(aim.host, aim.system.name if aim.system else ""): aim for aim in aims}.values())


def perform(
    reach: Reach,
    aims: Sequence[Aim],
    verb: Sequence[str],
    *,
    generations: Callable[[Aim], Generation] | None = None,
    confirm: int | None = None,
    planning: bool = False,
) -> int:
    """Run the engine's ``verb`` at every aim, show what came of it, and return the exit code.

    Raises:
        HoldfastError: there was one machine, and it failed.
    """
    from holdfast.cli import outcomes
    from holdfast.deploy.fleet import Fleet, Policy, parse_batch
    from holdfast.deploy.working import Surroundings, skip, work
    from holdfast.engine.archive import engine_archive
    from holdfast.engine.arguments import changes
    from holdfast.store import open_store

    policy = Policy(reach.parallel, parse_batch(reach.batch) if reach.batch else None, reach.max_failures)
    words = [*verb, *(["--wait", str(reach.wait)] if reach.wait else [])]
    jobs = [
        _job(aim, reach, words, generations(aim) if generations else None, confirm, alone=len(aims) == 1)
        for aim in aims
    ]
    around = Surroundings(
        open_store(),
        engine_archive(open_store()),
        _ask_password() if reach.ask_sudo_password else None,
        colour=not reach.as_json and shows_colours(sys.stdout),
        many=len(jobs) > 1,
        root=reach.root,
        terminal=_prepare_sudo(reach, aims),
    )
    watch = outcomes.Watch(len(jobs))
    fleet = Fleet(
        lambda job: work(job, around),
        skip,
        policy=policy,
        begun=watch.begun,
        ended=watch.ended,
        abandon=around.connections.abandon,
    )
    with show_progress(as_json=reach.as_json, verbose=reach.verbose):
        try:
            results = fleet.run(jobs)
        except KeyboardInterrupt:
            if not changes(words) or not watch.under_way:
                raise
            raise outcomes.interrupted(watch.under_way) from None
    return _show(results, reach, planning=planning)


def _show(results: Sequence[HostResult], reach: Reach, *, planning: bool) -> int:
    from holdfast.cli import outcomes
    from holdfast.deploy.results import demand, exit_code

    if len(results) == 1 and not results[0].fine:
        if reach.as_json:
            outcomes.write_results_json(results)
            return exit_code(results)
        demand(results[0])
    if reach.as_json:
        outcomes.write_results_json(results)
    else:
        outcomes.write_results(results, planning=planning)
    return exit_code(results)


def _job(
    aim: Aim,
    reach: Reach,
    words: Sequence[str],
    generation: Generation | None,
    confirm: int | None,
    *,
    alone: bool,
) -> Job:
    from holdfast.deploy.working import Job

    def connect() -> Transport:
        from holdfast.deploy.ssh import SshSettings, SshTransport
        from holdfast.deploy.transport import LocalTransport, has_terminal

        if aim.host == LOCAL:
            return LocalTransport()
        interactive = alone and has_terminal()
        return SshTransport(
            aim.host, SshSettings(reach.ssh_options, reach.connect_timeout, interactive=interactive)
        )

    name = aim.system.name if aim.system else None
    return Job(aim.host, name, connect, tuple(words), generation, confirm)


def _ask_password() -> str:
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


def _prepare_sudo(reach: Reach, aims: Sequence[Aim]) -> bool:
    """Let sudo on this machine ask now what it has to ask; whether it was asked."""
    from holdfast.deploy.transport import ask_terminal_for_sudo, has_terminal

    here = any(aim.host == LOCAL for aim in aims)
    if not here or os.geteuid() == 0 or reach.ask_sudo_password or not has_terminal():
        return False
    ask_terminal_for_sudo()
    return True


def generations_of(evaluation: Evaluation) -> Callable[[Aim], Generation]:
    """For every aim the generation of its system.

    Raises:
        HoldfastError: a content cannot be had, or the lock is stale.
    """
    from holdfast.deploy.working import Generation
    from holdfast.project.generations import prepare_generations
    from holdfast.store import open_store

    made = {
        travelling.system.name: Generation(travelling.package_set is not None, travelling.make)
        for travelling in prepare_generations(open_store(), evaluation)
    }

    def choose(aim: Aim) -> Generation:
        assert aim.system is not None
        return made[aim.system.name]

    return choose
