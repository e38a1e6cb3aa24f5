"""What the commands for machines share: which machines, doing it on one or many, and showing what came of it."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.base.style import shows_colours
from holdfast.cli.progress import show_progress, show_warnings
from holdfast.cli.reaching import Reach, ask_password
from holdfast.deploy.transport import LOCAL

if TYPE_CHECKING:
    from holdfast.deploy.results import HostResult
    from holdfast.deploy.transport import Transport
    from holdfast.deploy.working import Generation, Job
    from holdfast.project.evaluation import EvaluatedSystem, Evaluation


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
    if reach.hosts or reach.root is not None:
        hosts = dict.fromkeys(reach.hosts or (LOCAL,))
        return tuple(Aim(host, evaluation.only() if named else _for(host, evaluation)) for host in hosts)
    if not named:
        system = _for_this_machine(evaluation)
        only = len(evaluation.systems) == 1
        return (Aim((system.manifest.target if only else None) or LOCAL, system),)
    if len(evaluation.systems) == 1:
        (system,) = evaluation.systems
        return (Aim(system.manifest.target or LOCAL, system),)
    aims = tuple(Aim(_home(system, evaluation), system) for system in evaluation.systems)
    for host, count in Counter(aim.host for aim in aims).items():
        if count > 1:
            names = ", ".join(aim.system.name for aim in aims if aim.system and aim.host == host)
            raise HoldfastError(
                f"several of these systems are for the same machine {host}: {names}",
                resolution="Name the one that it is to be.",
            )
    return aims


def _for(host: str, evaluation: Evaluation) -> EvaluatedSystem:
    """The only system, or the one that is for ``host``: what this machine is to be is nothing for another."""
    if host == LOCAL or len(evaluation.systems) == 1:
        return _for_this_machine(evaluation)
    found = [system for system in evaluation.systems if system.manifest.target == host]
    if len(found) == 1:
        return found[0]
    raise HoldfastError(
        f"none of the systems is for {host}, and there are several"
        if not found
        else f"several of the systems are for {host}",
        details=f"{evaluation.file} has: {', '.join(evaluation.all_names)}",
        resolution=f"Name the one that {host} is to be.",
    )


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
        raise click.UsageError(
            "--system says which machines: leave out --target-host and --root.", click.get_current_context()
        )
    with show_warnings(as_json=reach.as_json):
        evaluations = [evaluate(selector) for selector in reach.systems]
    aims = [
        Aim(_home(system, evaluation), system) for evaluation in evaluations for system in evaluation.systems
    ]
    first: dict[str, Aim] = {}
    for aim in aims:  # a machine goes back once, however many systems are for it
        first.setdefault(aim.host, aim)
    return tuple(first.values())


def bring(
    reach: Reach,
    system: str,
    verb: Sequence[str],
    *,
    in_process: bool,
    confirm: int | None = None,
    planning: bool = False,
) -> int:
    """Evaluate the systems that ``system`` selects, and run the engine's ``verb`` with them on their machines.

    Raises:
        HoldfastError: the definition is wrong, or something that it names cannot be had; or as :func:`perform`.
    """
    from holdfast.project.evaluation import evaluate

    with show_progress(as_json=reach.as_json, verbose=reach.verbose):
        evaluation = evaluate(system, in_process=in_process)
        aims = aims_of(evaluation, reach, named=bool(system))
        generations = _generations_of(evaluation)
    return perform(reach, aims, verb, generations=generations, confirm=confirm, planning=planning)


def words(*parts: str | None, flags: Sequence[tuple[bool, str]] = ()) -> tuple[str, ...]:
    """A verb of the engine with its arguments: parts that are None and flags that are not set are left out (pure)."""
    return (*(part for part in parts if part is not None), *(flag for given, flag in flags if given))


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
    from holdfast.cli.main import Terminated
    from holdfast.deploy.fleet import Fleet, Policy, parse_batch
    from holdfast.deploy.transport import has_terminal
    from holdfast.deploy.working import Surroundings, skip, work
    from holdfast.engine.archive import engine_archive
    from holdfast.engine.arguments import changes
    from holdfast.engine.exits import Exit
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
        ask_password() if reach.ask_sudo_password else None,
        colour=not reach.as_json and shows_colours(sys.stdout),
        many=len(jobs) > 1,
        root=reach.root,
        terminal=_prepare_sudo(reach, aims),
    )
    watch = outcomes.Watch(len(jobs))
    with show_progress(as_json=reach.as_json, verbose=reach.verbose) as pause:
        if len(jobs) == 1 and aims[0].host != LOCAL and has_terminal():  # then ssh may ask
            around = replace(around, asking=pause)
        fleet = Fleet(
            lambda job: work(job, around),
            skip,
            policy=policy,
            begun=watch.begun,
            ended=watch.ended,
            abandon=around.connections.abandon,
        )
        try:
            results = fleet.run(jobs)
        except (KeyboardInterrupt, Terminated) as stop:
            begun = [name for name in watch.under_way if name in around.asked]
            if not changes(words) or not begun:
                raise
            code = Exit.TERMINATED if isinstance(stop, Terminated) else Exit.INTERRUPTED
            raise outcomes.interrupted(begun, code) from None
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


def _prepare_sudo(reach: Reach, aims: Sequence[Aim]) -> bool:
    """Let sudo on this machine ask now what it has to ask; whether it was asked."""
    from holdfast.deploy.transport import ask_terminal_for_sudo, has_terminal

    here = any(aim.host == LOCAL for aim in aims)
    if not here or os.geteuid() == 0 or reach.ask_sudo_password or not has_terminal():
        return False
    ask_terminal_for_sudo()
    return True


def _generations_of(evaluation: Evaluation) -> Callable[[Aim], Generation]:
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
