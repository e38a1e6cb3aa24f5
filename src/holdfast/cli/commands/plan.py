"""`holdfast plan`: what a switch would change."""

from __future__ import annotations

import click

from holdfast.cli.arguments import in_process_option, system_argument
from holdfast.cli.machines import (
    Reach,
    aims_of,
    generations_of,
    machine_options,
    package_options,
    perform,
    words,
)
from holdfast.project.evaluation import evaluate


@click.command()
@system_argument
@click.option("--detailed-exitcode", is_flag=True, help="End with 7 when there is something to change.")
@click.option("--ephemeral", is_flag=True, help="Only until the next reboot: nothing is written to the disk.")
@package_options
@machine_options(changing=False)
@in_process_option
def command(
    system: str,
    detailed_exitcode: bool,
    ephemeral: bool,
    packages: list[tuple[bool, str]],
    in_process: bool,
    reach: Reach,
) -> int:
    """Show what `holdfast switch` would change, and change nothing.

    SYSTEM chooses as everywhere; without it, the system with this machine's name, or the only one. A system goes to its
    own target, or to every --target-host.
    """
    evaluation = evaluate(system, in_process=in_process)
    flags = [(detailed_exitcode, "--detailed-exitcode"), (ephemeral, "--ephemeral"), *packages]
    return perform(
        reach,
        aims_of(evaluation, reach, named=bool(system)),
        words("plan", flags=flags),
        generations=generations_of(evaluation),
        planning=True,
    )
