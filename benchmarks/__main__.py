"""`make bench`: every row there is, ours and its peer in one run. Arguments choose modules: python -m benchmarks help boot.

It fails when something could not be measured, not when a goal is not met: that is what the table says.
"""

from __future__ import annotations

import os
import platform
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import cast

import click

from benchmarks.measure import Row, Sample, alternate, command

BENCHMARKS = ("evaluate", "help", "rootfs", "rebuild", "boot", "export", "switch")
"""Modules with ``rows()``, in the order of the report. The rest of this directory serves them."""


def main(arguments: list[str]) -> int:
    if unknown := set(arguments) - set(BENCHMARKS):
        click.echo(
            f"no benchmark is called {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}",
            err=True,
        )
        return 2
    signal.signal(signal.SIGTERM, _end)
    rows: list[Row] = []
    failed: list[str] = []
    click.echo(machine(), err=True)
    for name in arguments or BENCHMARKS:
        began = time.monotonic()
        try:
            rows += rows_of(name)()
        except Exception:  # one row that cannot run must not hide the others
            failed.append(name)
            click.echo(f"{name} cannot be measured:\n{traceback.format_exc()}", err=True)
        click.echo(f"measured {name} in {time.monotonic() - began:.0f} s", err=True)
    click.echo(machine())
    click.echo("")
    click.echo(report(rows))
    if failed:
        click.echo(f"\nNot measured, since it failed: {', '.join(failed)}")
    return 1 if failed else 0


def _end(number: int, _frame: object) -> None:
    """Leave in order, so that what was written is removed."""
    sys.exit(128 + number)


def rows_of(name: str) -> Callable[[], Iterable[Row]]:
    """The function of a benchmark that measures and yields its rows."""
    return cast("Callable[[], Iterable[Row]]", import_module(f"benchmarks.{name}").rows)


def machine() -> str:
    """What the figures were taken on, and how busy it is: other people's load is in every wall clock time."""
    (idle,) = alternate(command(["/usr/bin/python3", "-I", "-S", "-c", ""]), rounds=15)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} processors, {platform.machine()}, Linux {platform.release()}, Python {platform.python_version()}; "
        f"a Python that does nothing takes {idle.seconds * 1000:.0f} ms; "
        f"load of the last 1, 5, 15 minutes: {load} (the benchmarks' own included)"
    )


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
