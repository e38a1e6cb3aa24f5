"""`holdfast engine`: the command for other machines, made here."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.base.atomic import atomic_file
from holdfast.base.errors import explain_os_errors
from holdfast.cli.arguments import json_option
from holdfast.cli.output import write_json
from holdfast.cli.progress import describe_amount, show_progress
from holdfast.engine.archive import engine_archive
from holdfast.store import open_store


@click.group()
def command() -> None:
    """Make the command that runs on the machines that Holdfast looks after.

    Deploying brings it there by itself; this is for machines that are reached in other ways.
    """


@command.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("engine.pyz"),
    show_default=True,
    help="Where to write it.",
)
@json_option
def build(output: Path, as_json: bool) -> None:
    """Write the engine as one file, which any Python from 3.10 on runs.

    On the machine, as root: `python3 engine.pyz install`.
    """
    store = open_store()
    with show_progress(as_json=as_json):
        engine = engine_archive(store)
        with explain_os_errors(f"write {output}"), atomic_file(output) as stream:
            stream.write(engine.path.read_bytes())
    if as_json:
        write_json(
            {
                "path": str(output),
                "digest": engine.digest,
                "version": engine.version,
                "size": engine.size,
            }
        )
    else:
        click.echo(f"{output}  {engine.digest[7:19]}  {describe_amount(engine.size, 'bytes')}")
