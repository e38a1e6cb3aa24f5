"""The power goes in the middle of a change, and what was not on the disk is lost: after the next command it is the old machine or the new one."""

from __future__ import annotations

import json
import os
import random
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.base.process import run
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.sandbox import Bind
from tests.host.crash.conftest import SEED, binds, execute, stride
from tests.host.crash.subject import DISK, steps_of

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]
_MEGABYTES = 300
_RANDOM = int(os.environ.get("HOLDFAST_CRASH_POWER_CUTS", "4"))


@dataclass
class Computer:
    """A machine with a disk that is really without what was not written when the power goes."""

    tree: Path
    scratch: Path
    image: Path
    number: int = 0

    @contextmanager
    def booted(self) -> Iterator[Machine]:
        with self._disk() as disk:
            more = {str(DISK): Bind(disk), "/holdfast-told": Bind(self.scratch / "told", writable=True)}
            settings = Settings(
                name=f"power-{uuid.uuid4().hex[:6]}",
                upper=disk / "upper",
                volatile=False,
                binds={**binds(self.scratch / "compiled", self.scratch / "debs"), **more},
            )
            with boot_layers((self.tree,), settings=settings) as machine:
                yield machine

    @contextmanager
    def _disk(self) -> Iterator[Path]:
        """Mounted from a copy: containers of others may still have the file system that went down in their mount namespaces."""
        place, copy = self.scratch / "disk", self.image.with_suffix(f".{self.number}")
        run(["cp", "--sparse=always", self.image, copy])
        os.truncate(self.image, 0)
        self.image.unlink()
        self.image = copy
        run(["mount", "-o", "loop,commit=1", self.image, place])
        try:
            yield place
        finally:
            run(["umount", place])

    def use(self, **asked: object) -> dict[str, Any]:
        """Boot, have the program inside do what comes next and note it, and have it cut the power; returns the note."""
        told = self.scratch / "told/answer.json"
        told.unlink(missing_ok=True)
        asked = {"do": "cut-power", "seed": SEED, "number": self.number, **asked}
        self.number += 1
        with self.booted() as machine:
            done = execute(machine, asked)
        shown = {key: value for key, value in asked.items() if key != "references"}
        last = json.loads(done.stdout) if done.stdout else {}
        assert "wrong" not in last, f"seed {SEED}, {shown}:\n{last['wrong']}\n{last['trace']}"
        assert told.exists(), f"{shown}:\n{done.stderr.decode()}"
        answer: dict[str, Any] = json.loads(told.read_text())
        return answer


@pytest.fixture
def computer(machine_root: Callable[[str], Path], tmp_path: Path) -> Generator[Computer]:
    if os.geteuid() != 0:
        pytest.skip("boots containers, which takes root")
    for name in ("compiled", "debs", "told", "disk"):
        (tmp_path / name).mkdir()
    memory = Path("/dev/shm")
    image = (memory if os.access(memory, os.W_OK) else tmp_path) / f"holdfast-{uuid.uuid4().hex}.ext4"
    run(["truncate", f"--size={_MEGABYTES}M", image])
    run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=1,lazy_journal_init=1", image])
    made = Computer(machine_root("trixie"), tmp_path, image)
    try:
        yield made
    finally:
        os.truncate(made.image, 0)
        made.image.unlink()


def _cut(computer: Computer, moments: Callable[[dict[str, Any]], list[dict[str, object]]]) -> dict[str, int]:
    """Cut the power at each of the moments, one boot each; returns how often what was there then."""
    first = computer.use(at="journal", last=False)
    known = {"references": first["references"]}
    outcomes: dict[str, int] = {}
    now, before = first["now"], "the first checkpoint"
    for moment in [*moments(first), None]:
        asked = {"at": "journal", "after": first["window"], **(moment or {}), "last": moment is None}
        print(f"HOLDFAST_CRASH_SEED={SEED}: after {before}; next {moment}")
        answer = computer.use(**known, **asked, now=now)
        now, before = answer["now"], str(moment)
        for outcome, count in answer["outcomes"].items():
            outcomes[outcome] = outcomes.get(outcome, 0) + count
    print(outcomes)
    return outcomes


@pytest.mark.parametrize("chunk", range(2))
def test_at_every_step(computer: Computer, chunk: int) -> None:
    def moments(first: dict[str, Any]) -> list[dict[str, object]]:
        chosen = [point for point in steps_of(first["points"], stride(500)) if not point.startswith("end")]
        return [{"at": point} for point in chosen[chunk::2]]

    outcomes = _cut(computer, moments)
    assert outcomes["old"] > outcomes["new"] > 0


@pytest.mark.parametrize("chunk", range(2))
def test_at_random_moments(computer: Computer, chunk: int) -> None:
    chance = random.Random(f"{SEED} {chunk}")

    def moments(first: dict[str, Any]) -> list[dict[str, object]]:
        return [{"at": None, "after": chance.uniform(0, first["window"])} for _ in range(_RANDOM // 2)]

    outcomes = _cut(computer, moments)
    assert outcomes["old"] > 0
