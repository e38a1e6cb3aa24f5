"""`holdfast init`: a first systems.py that works at once, from a template or from a machine as it is."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from holdfast.base.atomic import write_atomically
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.style import printable
from holdfast.cli.looking import look_at, root_option
from holdfast.cli.reaching import Way, way_options
from holdfast.deploy.transport import LOCAL
from holdfast.project.selection import DEFAULT_FILE

TEMPLATES = ("host", "container", "vm", "os")
_FILES = "files"


@click.command()
@click.option(
    "--template",
    type=click.Choice(TEMPLATES),
    help="What the systems are to be.  [default: container]",
)
@click.option(
    "--from",
    "source",
    metavar="USER@HOST",
    help="Describe a machine as it is, instead of a template; 'local' is this one.",
)
@way_options
@root_option
@click.option("--name", help="Name of the system that --from describes.  [default: its host name]")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
def command(
    template: str | None, source: str | None, way: Way, root: Path | None, name: str | None, directory: Path
) -> None:
    """Write a first systems.py into DIRECTORY (default: here). It works at once, and its comments say what to try.

    With --from it says what a machine is: what was installed, changed, enabled, and who may use it. The first `holdfast
    plan` then shows no change. What is secret on the machine stays there; it is only named.
    """
    source = source or (LOCAL if root is not None else None)
    if source is not None and template is not None:
        raise click.UsageError("--template and --from exclude each other.")
    if source is None and name is not None:
        raise click.UsageError("--name needs --from.")
    path = directory / DEFAULT_FILE
    for place in (path, *([directory / _FILES] if source is not None else [])):
        with explain_os_errors(f"look for {place}"):
            exists = place.exists()
        if exists:
            raise HoldfastError(
                f"{place} exists already", resolution="Choose another directory: holdfast init DIRECTORY"
            )
    if source is not None:
        _describe(source, root, way, name, directory)
        return
    text = files("holdfast.cli.templates").joinpath(f"{template or 'container'}.py").read_bytes()
    with explain_os_errors(f"write {path}"):
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    click.echo(f"Wrote {path}. Its first lines say what to try.")


def _describe(source: str, root: Path | None, way: Way, name: str | None, directory: Path) -> None:
    from holdfast.project.describing import describe, system_name

    found = look_at(source, root, way, contents=True)
    target = None if source == LOCAL else source
    made = describe(
        found,
        name or system_name(found, target),
        target=target,
        command=f"holdfast init --from {source}",
    )
    path = directory / DEFAULT_FILE
    with explain_os_errors(f"write {path}"):
        for relative, data in sorted(made.files.items()):
            file = directory / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, data, mode=0o755 if relative in made.executable else 0o644, durable=False)
        directory.mkdir(parents=True, exist_ok=True)
        write_atomically(path, made.text.encode())
    beside = f", and {len(made.files)} files below {directory / _FILES}" if made.files else ""
    click.echo(f"Wrote {path}{beside}.")
    for note in made.notes:
        click.echo(f"Not in it: {printable(note)}")
