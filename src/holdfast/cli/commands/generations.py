"""`holdfast generations`: what machines could go back to, and generations in steps."""

from __future__ import annotations

import click

from holdfast.cli.arguments import in_process_option, system_argument
from holdfast.cli.machines import bring, machine_aims, perform, words
from holdfast.cli.reaching import Reach, machine_options

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
_NUMBER = click.argument("generation", type=click.IntRange(1))


@click.group()
def command() -> None:
    """List, show, forget, record and activate the generations on machines."""


@command.command("list")
@machine_options(changing=False, by_system=True)
def list_all(reach: Reach) -> int:
    """List the generations on a machine. Needs no definition."""
    return perform(reach, machine_aims(reach), ("generations", "list"), planning=True)


@command.command()
@_NUMBER
@machine_options(changing=False, by_system=True)
def show(generation: int, reach: Reach) -> int:
    """Print the manifest of GENERATION."""
    return perform(reach, machine_aims(reach), ("generations", "show", str(generation)), planning=True)


@command.command()
@_NUMBER
@_DRY_RUN
@machine_options(changing=True, by_system=True)
def delete(generation: int, dry_run: bool, reach: Reach) -> int:
    """Forget GENERATION: it cannot be gone back to any more."""
    verb = words("generations", "delete", str(generation), flags=[(dry_run, "--dry-run")])
    return perform(reach, machine_aims(reach), verb, planning=dry_run)


@command.command()
@click.option(
    "--keep",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    metavar="N",
    help="How many of the newest to keep; the current one stays in any case.",
)
@_DRY_RUN
@machine_options(changing=True, by_system=True)
def prune(keep: int, dry_run: bool, reach: Reach) -> int:
    """Forget all but the newest generations."""
    verb = words("generations", "prune", "--keep", str(keep), flags=[(dry_run, "--dry-run")])
    return perform(reach, machine_aims(reach), verb, planning=dry_run)


@command.command(short_help="Bring systems to machines and record them there.")
@system_argument
@machine_options(changing=True)
@in_process_option
def register(system: str, in_process: bool, reach: Reach) -> int:
    """Bring systems to their machines and record them there, without activating them."""
    return bring(reach, system, ("generations", "register"), in_process=in_process)


@command.command(short_help="Put the files of systems in place, and start nothing.")
@system_argument
@_DRY_RUN
@machine_options(changing=True)
@in_process_option
def prepopulate(system: str, dry_run: bool, in_process: bool, reach: Reach) -> int:
    """Put the files of systems in place on their machines, and start nothing: for images and roots that do not run."""
    verb = words("generations", "prepopulate", flags=[(dry_run, "--dry-run")])
    return bring(reach, system, verb, in_process=in_process, planning=dry_run)


@command.command()
@click.argument("generation", type=click.IntRange(1), required=False)
@_DRY_RUN
@machine_options(changing=True, by_system=True)
def activate(generation: int | None, dry_run: bool, reach: Reach) -> int:
    """Activate a recorded GENERATION; without a number, the newest."""
    number = None if generation is None else str(generation)
    verb = words("generations", "activate", number, flags=[(dry_run, "--dry-run")])
    return perform(reach, machine_aims(reach), verb, planning=dry_run)
