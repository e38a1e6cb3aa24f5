"""Results on stdout: JSON for programs, aligned columns for people."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from holdfast.base.codec import JSON


def write_json(value: JSON) -> None:
    """One document, keys sorted, indented, with a newline at the end."""
    click.echo(json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False))


def write_table(rows: Sequence[Sequence[str]], *, header: Sequence[str] = ()) -> None:
    """Columns as wide as their widest cell; the last one is not padded."""
    everything = [list(header), *map(list, rows)] if header else [list(row) for row in rows]
    if not everything:
        return
    widths = [max(len(row[column]) for row in everything) for column in range(len(everything[0]))]
    for number, row in enumerate(everything):
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        line = "  ".join([*cells, row[-1]])
        click.echo(click.style(line, bold=True) if header and number == 0 else line)
