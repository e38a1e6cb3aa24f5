"""`holdfast repair`: put back what was changed by hand."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform, words
from holdfast.cli.reaching import Reach, machine_options


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@machine_options(changing=True, by_system=True)
def command(paths: tuple[str, ...], dry_run: bool, reach: Reach) -> int:
    """Put managed PATHs, or all that drifted, back to what the current generation says."""
    verb = words("repair", *paths, flags=[(dry_run, "--dry-run")])
    return perform(reach, machine_aims(reach), verb, planning=dry_run)
