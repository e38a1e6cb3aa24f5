"""Results on stdout: JSON for programs, aligned columns for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, cast

import click

from holdfast.base.codec import JSON, json_text

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_json(value: JSON) -> None:
    """One document, keys sorted, indented, with a newline at the end."""
    click.echo(json_text(value))


def every_field(report: DataclassInstance) -> dict[str, JSON]:
    """``report`` as an object that always has the same keys, those with nothing to say too: programs look for them."""
    return cast("dict[str, JSON]", asdict(report))


def write_table(rows: Sequence[Sequence[str]], *, header: Sequence[str]) -> None:
    """Columns as wide as their widest cell; the last one is not padded."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for number, row in enumerate([header, *rows]):
        line = "  ".join([*map(str.ljust, row[:-1], widths), row[-1]])
        click.echo(click.style(line, bold=True) if number == 0 else line)
