"""`holdfast status`: what is current on machines, and what was changed by hand."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform, words
from holdfast.cli.reaching import Reach, machine_options


@click.command()
@click.option("--detailed-exitcode", is_flag=True, help="End with 7 when something was changed by hand.")
@machine_options(changing=False, by_system=True)
def command(detailed_exitcode: bool, reach: Reach) -> int:
    """Show which generation is current, what was changed by hand, and what waits. Needs no definition."""
    verb = words("status", flags=[(detailed_exitcode, "--detailed-exitcode")])
    return perform(reach, machine_aims(reach), verb, planning=True)
