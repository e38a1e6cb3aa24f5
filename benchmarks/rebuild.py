"""A rebuild after a one-line configuration change: the time an author waits between an edit and a bootable system."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

from benchmarks.measure import HOLDFAST, ROOT, Row, alternate, command

GOAL_SECONDS = 2.0


def rows() -> Iterable[Row]:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir="/var/tmp") as directory:
        project = Path(directory) / "web"
        shutil.copytree(ROOT / "examples" / "web", project, ignore=shutil.ignore_patterns("*.lock"))
        env = {"HOLDFAST_STORE": f"{directory}/store"}
        command([HOLDFAST, "build", "web"], env=env, cwd=project)()
        numbers = count(1)

        def change() -> None:
            edit(project / "systems.py", numbers)

        (ours,) = alternate(
            command([HOLDFAST, "build", "web"], env=env, cwd=project), rounds=5, before_each=change
        )
        (unchanged,) = alternate(command([HOLDFAST, "build", "web"], env=env, cwd=project), rounds=5)
    goal = f"<= {GOAL_SECONDS:g} s"
    bound = "evaluating (0.1 s), activating the configuration layer, packing it with fsync"
    yield Row("rebuild after a configuration change", ours, goal, ours.seconds <= GOAL_SECONDS, bound)
    yield Row(
        "build with nothing to do", unchanged, "-", True, "starting Python, evaluating, checking the cache"
    )


def edit(file: Path, numbers: Iterator[int]) -> None:
    """One line changed, to something it never was."""
    lines = file.read_text().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines) if "Held fast" in line)
    lines[place] = f'    m[Files]["/srv/www/index.html"].text = "<h1>Held fast, {next(numbers)}.</h1>\\n"\n'
    file.write_text("".join(lines))
