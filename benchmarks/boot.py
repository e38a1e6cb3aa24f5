"""A container's boot to ready: from the store to every job of systemd done, measured inside our own command."""

from __future__ import annotations

import json
from collections.abc import Iterable

from benchmarks import scratch
from benchmarks.measure import HOLDFAST, Row, Sample, alternate, command

GOAL_SECONDS = 1.5


def rows() -> Iterable[Row]:
    """Ready is what `systemctl is-system-running` calls running: every unit up, none failed."""
    project = scratch.example()
    answer = project.directory / "answer.json"
    argv = [HOLDFAST, "run", "web", "--json", "--", "systemctl", "is-system-running"]
    whole = command(argv, env=project.env, cwd=project.directory, output=answer)

    def boot() -> Sample:
        measured = whole()
        result = json.loads(answer.read_text())
        if result["stdout"] != "running\n":
            raise RuntimeError(f"the system is not running: {result}")
        return Sample(result["boot_milliseconds"] / 1000, measured.peak_kb)

    (ready,) = alternate(boot, rounds=5)
    yield Row(
        "container boot to ready (trixie)",
        ready,
        f"<= {GOAL_SECONDS:g} s",
        ready.seconds <= GOAL_SECONDS,
        "systemd in the container: its units' own start, mostly nginx and journald",
    )
