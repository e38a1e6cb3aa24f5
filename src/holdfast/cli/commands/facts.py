"""`holdfast facts`: what a machine is, as JSON."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.base.codec import pretty_json
from holdfast.cli.looking import look_at, root_option
from holdfast.cli.reaching import Way, way_options
from holdfast.deploy.transport import LOCAL


@click.command()
@click.option(
    "--target-host",
    metavar="USER@HOST",
    default=LOCAL,
    help="Look at this machine over ssh instead of at the one that this runs on.",
)
@way_options
@root_option
@click.option("--contents", is_flag=True, help="With the content of the files that are found.")
def command(target_host: str, way: Way, root: Path | None, contents: bool) -> None:
    """Print as JSON what a machine is: release, packages, changed files, units, people, and more. Nothing on it is changed.

    A definition may read it when it is kept beside it: holdfast facts --target-host root@web1 > facts/web1.json
    """
    found = look_at(target_host, root, way, contents=contents)
    click.echo(pretty_json(found), nl=False)
