"""A container's boot to ready: from the store to every job of systemd done, measured inside our own command."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import HOLDFAST, ROOT, Row, Sample
from holdfast.base.process import run

GOAL_SECONDS = 1.5
RELEASES = {"web": "trixie"}


def rows() -> Iterable[Row]:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir="/var/tmp") as directory:
        project = Path(directory) / "web"
        shutil.copytree(ROOT / "examples" / "web", project, ignore=shutil.ignore_patterns("*.lock"))
        env = {"HOLDFAST_STORE": f"{directory}/store"}
        for system, release in RELEASES.items():
            yield _boot(system, release, project, env)


def _boot(system: str, release: str, project: Path, env: dict[str, str]) -> Row:
    argv = [HOLDFAST, "run", system, "--json", "--", "systemctl", "is-system-running"]
    run([HOLDFAST, "build", system], cwd=project, env=env)
    seconds: list[float] = []
    for _ in range(5):
        result = json.loads(run(argv, cwd=project, env=env).text)
        assert result["stdout"] == "running\n", result
        seconds.append(result["boot_milliseconds"] / 1000)
    median = Sample(statistics.median(seconds), 0)
    return Row(
        f"container boot to ready ({release})",
        median,
        f"<= {GOAL_SECONDS:g} s",
        median.seconds <= GOAL_SECONDS,
        "systemd in the container: its units' own start, mostly nginx and journald",
    )
