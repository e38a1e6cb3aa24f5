"""`holdfast adopt`: accept what was changed by hand."""

from __future__ import annotations

import click

from holdfast.cli.machines import machine_aims, perform, words
from holdfast.cli.reaching import Reach, machine_options


@click.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@machine_options(changing=True, by_system=True)
def command(paths: tuple[str, ...], reach: Reach) -> int:
    """Accept what was changed by hand at managed PATHs, or at all that drifted, until the definition says something new."""
    return perform(reach, machine_aims(reach), words("adopt", *paths))
