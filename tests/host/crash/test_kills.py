"""The engine is killed with SIGKILL in the middle of changing a running machine: after the next command it is the old or the new one."""

from __future__ import annotations

import pytest

from holdfast.base.codec import encode
from holdfast.machine import Machine
from tests.host.crash.conftest import EVERY_STEP, MOMENTS, SEED, ask, stride
from tests.host.packages.debs import Debs

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]
_CHUNKS = 2
_WITH_PACKAGES = 8


@pytest.mark.parametrize("chunk", range(2))
def test_at_every_step(machine: Machine, chunk: int) -> None:
    answer = ask(machine, "kill-at-steps", chunk=chunk, chunks=2, stride=stride(250))
    assert answer["points"] > 500
    assert answer["chosen"] > 5
    assert answer["outcomes"]["old"] > answer["outcomes"]["new"] > 0


def test_while_it_is_taken_back(machine: Machine) -> None:
    answer = ask(machine, "kill-recovery-at-steps", stride=stride(500))
    assert answer["points"] > 500
    assert answer["chosen"] > 8


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_at_random_moments(machine: Machine, chunk: int) -> None:
    answer = ask(machine, "kill-at-random", seed=SEED * 100 + chunk, moments=MOMENTS // _CHUNKS)
    assert answer["moments"] == MOMENTS // _CHUNKS
    assert answer["outcomes"]["old"] > 0
    assert not EVERY_STEP or answer["outcomes"]["new"] > 0, "few moments are after the commit"


def test_while_packages_change_too(machine: Machine, debs: Debs) -> None:
    for version in ("1.0", "1.1"):
        debs.build("lib", version)
        debs.build(
            "app", version, depends=f"lib (>= {version})", files={"/etc/app.conf": f"packaged {version}\n"}
        )
    debs.build("new", "1.0", depends="app (>= 1.1)", files={"/etc/new.conf": "packaged\n"})
    old = debs.wanted({"lib": "1.0", "app": "1.0"}, install=["app"])
    new = debs.wanted({"lib": "1.1", "app": "1.1", "new": "1.0"}, install=["app", "new"])
    answer = ask(machine, "kill-with-packages", A=encode(old), B=encode(new), moments=_WITH_PACKAGES)
    assert answer["killed"] > answer["named"] > 2
    assert answer["outcomes"]["old"] > 0
