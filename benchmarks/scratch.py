"""What the benchmarks of one run share, under /var/tmp and removed at the end: a store, and the example built in it."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.measure import HOLDFAST, ROOT
from holdfast.base.process import run
from holdfast.store import Store, open_store


@dataclass(frozen=True)
class Project:
    """A copy of ``examples/web``, whose system ``web`` was built."""

    directory: Path
    env: dict[str, str]
    artifact: str
    """Digest of the first build."""


BUILD = (HOLDFAST, "build", "web")


@cache
def place() -> Path:
    """A directory of this run's own."""
    made = Path(tempfile.mkdtemp(prefix="holdfast-bench-", dir="/var/tmp"))
    atexit.register(shutil.rmtree, made)
    return made


@cache
def store() -> Store:
    """An empty store at first: packages are fetched once a run."""
    return open_store(place() / "store")


@cache
def example() -> Project:
    """``examples/web`` for trixie, locked and built."""
    directory = place() / "web"
    shutil.copytree(ROOT / "examples" / "web", directory, ignore=shutil.ignore_patterns("*.lock"))
    env = {"HOLDFAST_STORE": str(store().root)}
    (built,) = json.loads(run([*BUILD, "--json"], cwd=directory, env=env).stdout)
    return Project(directory, env, built["artifact"])
