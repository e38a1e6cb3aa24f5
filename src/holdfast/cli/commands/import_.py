"""`holdfast import`: taking over a machine from another tool."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from holdfast.base.atomic import write_atomically
from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.cli.arguments import json_option
from holdfast.cli.looking import root_option
from holdfast.cli.output import write_json
from holdfast.cli.reaching import Way, way_options
from holdfast.deploy.transport import LOCAL

if TYPE_CHECKING:
    from holdfast.host.importing.system_manager import Imported


@click.group()
def command() -> None:
    """Take over a machine from another tool: what that manages becomes managed by Holdfast, and nothing in use changes."""


@command.command("system-manager", short_help="Take over from numtide's System Manager.")
@click.option(
    "--target-host",
    "host",
    metavar="USER@HOST",
    default=LOCAL,
    help="Take over this machine over ssh instead of the one that this runs on.",
)
@way_options
@root_option
@click.option(
    "--definition",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a module that declares what was taken over into this file.",
)
@json_option
def system_manager(host: str, way: Way, root: Path | None, definition: Path | None, as_json: bool) -> None:
    """Take over the files of numtide's System Manager on this machine, or on another.

    Its backups become what is put back when no definition has a path any more, or with `holdfast deactivate`. Its state
    file is set aside at the end.
    """
    from holdfast.engine.importing import render, take_over
    from holdfast.project.taking_over import describe_taken_over

    if definition is not None and definition.exists():
        raise HoldfastError(f"{definition} exists already", resolution="Choose another file.")
    if host != LOCAL and root is not None:
        raise click.UsageError("--root and --target-host exclude each other.", click.get_current_context())
    imported = take_over(root or Path("/")) if host == LOCAL else _take_over_there(host, way, as_json=as_json)
    if definition is not None:
        text = describe_taken_over(imported.entries, tool="System Manager")
        with explain_os_errors(f"write {definition}"):
            write_atomically(definition, text.encode())
    if as_json:
        write_json(cast("JSON", asdict(imported)))
        return
    for line in render(imported):
        click.echo(line)


def _take_over_there(host: str, way: Way, *, as_json: bool) -> Imported:
    from holdfast.base.codec import decode
    from holdfast.cli.looking import ask_far
    from holdfast.host.importing.system_manager import Imported

    said = ask_far(host, way, ("import", "system-manager"), as_json=as_json)
    return decode(Imported, said, what=f"what was taken over on {host}")
