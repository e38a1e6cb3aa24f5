"""`holdfast recover`: finish or undo what was interrupted."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform
from holdfast.cli.reaching import Reach, machine_options


@click.command()
@machine_options(changing=True, by_system=True)
def command(reach: Reach) -> int:
    """Finish what a crash or a power cut interrupted, or take it back. Every command that changes something does so first, too."""
    return perform(reach, machine_aims(reach), ("recover",))
