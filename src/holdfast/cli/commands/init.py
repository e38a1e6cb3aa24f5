"""`holdfast init`: a first systems.py that works at once."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from holdfast.base.atomic import write_atomically
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.project.selection import DEFAULT_FILE

TEMPLATES = ("host", "container", "vm", "os")


@click.command()
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    default="container",
    show_default=True,
    help="What the systems are to be.",
)
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
def command(template: str, directory: Path) -> None:
    """Write a first systems.py into DIRECTORY (default: here). It works at once, and its comments say what to try."""
    path = directory / DEFAULT_FILE
    with explain_os_errors(f"look for {path}"):
        exists = path.exists()
    if exists:
        raise HoldfastError(
            f"{path} exists already", resolution="Choose another directory: holdfast init DIRECTORY"
        )
    text = files("holdfast.cli.templates").joinpath(f"{template}.py").read_bytes()
    with explain_os_errors(f"write {path}"):
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    click.echo(f"Wrote {path}. Its first lines say what to try.")
