"""`holdfast deactivate`: give a machine back as it was found."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform, words
from holdfast.cli.reaching import Reach, machine_options, package_options


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@package_options
@machine_options(changing=True, by_system=True)
def command(dry_run: bool, packages: list[tuple[bool, str]], reach: Reach) -> int:
    """Take back everything that Holdfast did on a machine. People who still own something there are locked, not deleted."""
    verb = words("deactivate", flags=[(dry_run, "--dry-run"), *packages])
    return perform(reach, machine_aims(reach), verb, planning=dry_run)
