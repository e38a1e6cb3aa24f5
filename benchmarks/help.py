"""`holdfast --help` beside a bare interpreter: what a person waits for before anything happens."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.measure import HOLDFAST, Row, alternate, command


def rows() -> Iterable[Row]:
    ours, peer = alternate(
        command([HOLDFAST, "--help"]), command(["/usr/bin/python3", "-I", "-S", "-c", ""]), rounds=15
    )
    yield Row(
        "holdfast --help",
        ours,
        "<= 0.07 s",
        ours.seconds <= 0.07,
        "importing click (24 ms) and starting the interpreter with site (14 ms)",
        "python3 -I -S",
        peer,
    )
