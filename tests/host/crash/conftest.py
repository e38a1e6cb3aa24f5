"""A booted Debian machine with our code and the program in it that kills runs.

``HOLDFAST_CRASH_SEED`` chooses other random moments and lives; ``HOLDFAST_CRASH_MOMENTS``, ``HOLDFAST_CRASH_POWER_CUTS`` and
``HOLDFAST_CRASH_LIVES`` how many there are. Of five hundred steps that each put one file in place, a run of the tests takes a few, unless
``HOLDFAST_CRASH_EVERY_STEP`` is 1. `make torture` takes every step and several times as many of the others.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import jeepney
import pytest

from holdfast.base.process import Completed
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.sandbox import Bind
from tests.host.packages.debs import Debs

_ROOT = Path(__file__).resolve().parents[3]
_ENVIRONMENT = {
    "PYTHONPATH": "/holdfast-src:/holdfast-lib:/holdfast-tests",
    "PYTHONPYCACHEPREFIX": "/holdfast-pyc",
}
SEED = int(os.environ.get("HOLDFAST_CRASH_SEED", "1"))
EVERY_STEP = os.environ.get("HOLDFAST_CRASH_EVERY_STEP") == "1"
_LONGEST = 3600 if EVERY_STEP else 300
MOMENTS = int(os.environ.get("HOLDFAST_CRASH_MOMENTS", "24"))


def stride(few: int) -> int:
    """Each how many-eth of the steps that differ only in their file."""
    return 1 if EVERY_STEP else few


def binds(compiled: Path, debs: Path) -> Mapping[str, Bind]:
    return {
        "/holdfast-lib/jeepney": Bind(Path(jeepney.__file__).parent),
        "/holdfast-src": Bind(_ROOT / "src"),
        "/holdfast-tests/tests": Bind(_ROOT / "tests"),
        "/holdfast-pyc": Bind(compiled, writable=True),
        "/debs": Bind(debs),
    }


def execute(machine: Machine, asked: Mapping[str, object], program: str = "driver") -> Completed:
    """Have a program in the machine do something."""
    return machine.execute(
        ["python3", "-m", f"tests.host.crash.{program}"],
        stdin=json.dumps(asked).encode(),
        env=_ENVIRONMENT,
        timeout=_LONGEST,
    )


def ask(machine: Machine, do: str, program: str = "driver", **more: object) -> dict[str, Any]:
    """Have a program in the machine do something and answer; fails with what it says is wrong."""
    asked = {"do": do, "seed": SEED, **more}
    print(f"HOLDFAST_CRASH_SEED={SEED}: {asked}")
    done = execute(machine, asked, program)
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    print(answer)
    assert "wrong" not in answer, f"seed {SEED}, {asked}:\n{answer['wrong']}\n{answer['trace']}"
    return answer


@pytest.fixture
def debs(tmp_path: Path) -> Debs:
    """Packages for the machine, at /debs in it; build them before it boots or later."""
    (tmp_path / "debs").mkdir()
    return Debs(tmp_path / "debs")


@pytest.fixture
def machine(machine_root: Callable[[str], Path], tmp_path: Path, debs: Debs) -> Generator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("boots containers, which takes root")
    (tmp_path / "compiled").mkdir()
    settings = Settings(name=f"crash-{uuid.uuid4().hex[:6]}", binds=binds(tmp_path / "compiled", debs.place))
    with boot_layers((machine_root("trixie"),), settings=settings) as booted:
        yield booted
