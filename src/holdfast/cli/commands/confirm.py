"""`holdfast confirm`: keep a change that waits."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform
from holdfast.cli.reaching import Reach, machine_options


@click.command()
@machine_options(changing=False, by_system=True)
def command(reach: Reach) -> int:
    """Keep a change that was made with --confirm and waits. Over ssh `switch --confirm` does this by itself."""
    return perform(reach, machine_aims(reach), ("confirm",))
