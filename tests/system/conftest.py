"""The examples, locked and built once a run in the run's store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.base.locks import file_lock
from holdfast.project.building import Built, build_systems
from holdfast.project.evaluation import evaluate
from holdfast.store import Store

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
_WAIT_SECONDS = 900.0


@pytest.fixture(scope="session")
def built(shared_store: Store) -> Callable[[str, str], Built]:
    """``built("web", "web-sid")``: a system of an example, as `holdfast build` makes it.

    The example is copied, since examples carry no lock; all workers share the copy and so the lock.
    """

    def build(example: str, system: str) -> Built:
        project = shared_store.root / "examples" / f"{example}-{system}"
        project.parent.mkdir(exist_ok=True)
        lock = project.with_suffix(".lock")
        with file_lock(lock, wait_seconds=_WAIT_SECONDS, purpose=f"the example {example}"):
            shutil.copytree(EXAMPLES / example, project, dirs_exist_ok=True)
            (made,) = build_systems(shared_store, evaluate(f"{project / 'systems.py'}:{system}"))
            return made

    return build


@pytest.fixture(scope="session", autouse=True)
def _root_only() -> None:
    if os.geteuid() != 0:
        pytest.skip("boots containers, which takes root")
