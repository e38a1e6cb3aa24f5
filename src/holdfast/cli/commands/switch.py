"""`holdfast switch`: make machines what their definitions say."""

from __future__ import annotations

import click

from holdfast.cli.arguments import in_process_option, system_argument
from holdfast.cli.machines import bring, words
from holdfast.cli.reaching import Reach, machine_options, package_options


@click.command()
@system_argument
@click.option("--dry-run", is_flag=True, help="Only say what would be done, as `holdfast plan`.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="With --dry-run: end with 7 when there is something to change."
)
@click.option(
    "--confirm",
    type=click.IntRange(1, 7 * 86400),
    metavar="SECONDS",
    help="Take it back unless the machine can be reached anew within SECONDS.",
)
@click.option("--ephemeral", is_flag=True, help="Only until the next reboot: nothing is written to the disk.")
@package_options
@machine_options(changing=True)
@in_process_option
def command(
    system: str,
    dry_run: bool,
    detailed_exitcode: bool,
    confirm: int | None,
    ephemeral: bool,
    packages: list[tuple[bool, str]],
    in_process: bool,
    reach: Reach,
) -> int:
    """Make machines what their definitions say: files, units, people, packages. A switch that fails takes itself back.

    SYSTEM chooses as everywhere; without it, the system with this machine's name, or the only one. A system goes to its
    own target, or to every --target-host. With --confirm a new connection has to succeed afterwards; else the machine
    takes the change back by itself.

    \b
    Exit codes; of several machines, the first of these:
      4  failed and could not be taken back
      3  failed and taken back
      1  failed before anything was changed
      8  a machine cannot be reached
      5  refused by a check
      6  another change is under way there
      7  with --detailed-exitcode: something is to be changed
    """
    if ephemeral and confirm is not None:
        raise click.UsageError("--ephemeral and --confirm exclude each other.")
    flags = [
        (dry_run, "--dry-run"),
        (detailed_exitcode, "--detailed-exitcode"),
        (ephemeral, "--ephemeral"),
        *packages,
    ]
    return bring(
        reach,
        system,
        words("switch", flags=flags),
        in_process=in_process,
        confirm=None if dry_run else confirm,
        planning=dry_run,
    )
