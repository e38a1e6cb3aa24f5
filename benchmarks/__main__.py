"""`make bench`: every row there is, ours and its peer in one run. Arguments choose modules: python -m benchmarks help boot."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import cast

import click

from benchmarks.measure import Row, Sample

NOT_BENCHMARKS = {"__init__", "__main__", "measure"}


def main(arguments: list[str]) -> int:
    directory = Path(__file__).parent
    names = sorted(path.stem for path in directory.glob("*.py") if path.stem not in NOT_BENCHMARKS)
    names = [name for name in names if not name.startswith("_") and (not arguments or name in arguments)]
    rows: list[Row] = []
    failed = False
    for name in names:
        module = import_module(f"benchmarks.{name}")
        if not hasattr(module, "rows"):
            continue
        began = time.monotonic()
        try:
            rows += cast("Callable[[], Iterable[Row]]", module.rows)()
        except Exception as error:  # one row that cannot run must not hide the others
            failed = True
            click.echo(f"{name}: {type(error).__name__}: {error}", err=True)
        click.echo(f"measured {name} in {time.monotonic() - began:.0f} s", err=True)
    click.echo(report(rows))
    return 1 if failed else 0


def report(rows: Iterable[Row]) -> str:
    lines = [
        "| work | ours | peak | peer | its time | its peak | ratio | goal | met | bounded by |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (
            row.work,
            *_describe(row.ours),
            row.peer or "-",
            *(_describe(row.peer_sample) if row.peer_sample else ("-", "-")),
            "-" if row.ratio is None else f"{row.ratio:.2f}x",
            row.goal,
            "yes" if row.met else "NO",
            row.bound,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _describe(sample: Sample) -> tuple[str, str]:
    memory = "-" if not sample.peak_kb else f"{sample.peak_kb / 1024:.0f} MB"
    return f"{sample.seconds:.3f} s" if sample.seconds < 10 else f"{sample.seconds:.1f} s", memory


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
