"""`holdfast options`: what definitions can set."""

from __future__ import annotations

from typing import cast

import click

from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError
from holdfast.cli.arguments import complete_system, json_option
from holdfast.cli.option_pages import describe, matching
from holdfast.cli.output import write_json
from holdfast.project.evaluation import describe_options


@click.command()
@click.argument("search", nargs=-1)
@click.option(
    "--system",
    default="",
    shell_complete=complete_system,
    help="Also the option sets that this system's own modules bring.",
)
@json_option
def command(search: tuple[str, ...], system: str, as_json: bool) -> None:
    """List the options whose path or description has every word of SEARCH; without it, all of them."""
    words = " ".join(search)
    found = matching(describe_options(system), words)
    if not found and words:
        raise HoldfastError(
            f"no option has {words!r} in its path or description",
            resolution="Try fewer or shorter words; `holdfast options` lists all.",
        )
    if as_json:
        write_json(cast("JSON", found))
    else:
        click.echo("\n\n".join(describe(record) for record in found))
