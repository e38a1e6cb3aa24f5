"""How errors look: what happened, the evidence, and what to do next, on stderr."""

from __future__ import annotations

import os
import textwrap
import traceback
from pathlib import Path

import click

from holdfast.base.errors import HoldfastError
from holdfast.base.style import printable_text

TRACEBACK_VARIABLE = "HOLDFAST_TRACEBACK"


def show_error(error: HoldfastError) -> None:
    """``error`` for a person. Colour only on a terminal, and nothing else that steers it: details are what others said."""
    if os.environ.get(TRACEBACK_VARIABLE):
        click.echo(traceback.format_exc(), err=True, nl=False)
    click.echo(click.style("error: ", fg="red", bold=True) + printable_text(error.brief), err=True)
    if error.details:
        click.echo(textwrap.indent(printable_text(error.details), "  "), err=True)
    if error.resolution:
        click.echo(click.style("next: ", fg="cyan", bold=True) + printable_text(error.resolution), err=True)


def show_usage_error(error: click.UsageError) -> None:
    """A command line that means nothing, told as every other error, with how the command is called."""
    usage = error.ctx.get_usage() if error.ctx is not None else ""
    path = error.ctx.command_path if error.ctx is not None else "holdfast"
    show_error(
        HoldfastError(
            error.format_message(), details=usage, resolution=f"`{path} --help` lists what it takes."
        )
    )


def show_bug(error: Exception) -> None:
    """An exception nobody expected: where it was, and how to see the rest."""
    if os.environ.get(TRACEBACK_VARIABLE):
        click.echo(traceback.format_exc(), err=True, nl=False)
        return
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    click.echo(
        click.style("bug: ", fg="red", bold=True) + f"{type(error).__name__}: {error}{place}\n"
        f"This is a defect of holdfast, not of your definition.\n"
        + click.style("next: ", fg="cyan", bold=True)
        + f"Run the command again with {TRACEBACK_VARIABLE}=1 and report what it prints.",
        err=True,
    )
