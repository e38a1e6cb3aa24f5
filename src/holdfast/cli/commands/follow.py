"""`holdfast follow`: the change that is under way."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform
from holdfast.cli.reaching import Reach, machine_options


@click.command()
@machine_options(changing=False, by_system=True)
def command(reach: Reach) -> int:
    """Follow the change that is under way on a machine, or show how the last one ended: it goes on when a connection is lost."""
    return perform(reach, machine_aims(reach), ("follow",))
