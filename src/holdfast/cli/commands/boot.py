"""`holdfast boot`: change machines at their next boot."""

from __future__ import annotations

import click

from holdfast.cli.arguments import in_process_option, system_argument
from holdfast.cli.machines import bring, words
from holdfast.cli.reaching import Reach, machine_options


@click.command()
@system_argument
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@machine_options(changing=True)
@in_process_option
def command(system: str, dry_run: bool, in_process: bool, reach: Reach) -> int:
    """Bring systems to their machines, where they become current at the next boot. Until then nothing changes."""
    verb = words("boot", flags=[(dry_run, "--dry-run")])
    return bring(reach, system, verb, in_process=in_process, planning=dry_run)
