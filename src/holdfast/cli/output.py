"""Results on stdout: JSON for programs, aligned columns for people."""

from __future__ import annotations

from collections.abc import Sequence

import click

from holdfast.base.codec import JSON, json_text


def write_json(value: JSON) -> None:
    """One document, keys sorted, indented, with a newline at the end."""
    click.echo(json_text(value))


def write_table(rows: Sequence[Sequence[str]], *, header: Sequence[str]) -> None:
    """Columns as wide as their widest cell; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for number, row in enumerate([header, *rows]):
        line = "  ".join([*map(str.ljust, row[:-1], widths), row[-1]])
        click.echo(click.style(line, bold=True) if number == 0 else line)
