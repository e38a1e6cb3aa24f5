"""`holdfast rollback`: back to an earlier generation."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform, words
from holdfast.cli.reaching import Reach, machine_options, package_options


@click.command()
@click.argument("generation", type=click.IntRange(1), required=False)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option(
    "--confirm",
    type=click.IntRange(1, 7 * 86400),
    metavar="SECONDS",
    help="Take it back unless the machine can be reached anew within SECONDS.",
)
@package_options
@machine_options(changing=True, by_system=True)
def command(
    generation: int | None, dry_run: bool, confirm: int | None, packages: list[tuple[bool, str]], reach: Reach
) -> int:
    """Go back to the generation before, or to GENERATION. Needs no definition: everything is on the machine."""
    flags = [(dry_run, "--dry-run"), *packages]
    return perform(
        reach,
        machine_aims(reach),
        words("rollback", None if generation is None else str(generation), flags=flags),
        confirm=None if dry_run else confirm,
        planning=dry_run,
    )
