"""`holdfast plan`: what a switch would change."""

from __future__ import annotations

import click

from holdfast.cli.arguments import in_process_option, system_argument
from holdfast.cli.machines import bring, words
from holdfast.cli.reaching import Reach, machine_options, package_options


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
    flags = [(detailed_exitcode, "--detailed-exitcode"), (ephemeral, "--ephemeral"), *packages]
    return bring(reach, system, words("plan", flags=flags), in_process=in_process, planning=True)
