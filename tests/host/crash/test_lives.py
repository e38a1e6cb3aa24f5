"""Whatever is switched, edited by hand, accepted, repaired and rolled back on a machine that runs: giving back gives back everything."""

from __future__ import annotations

import os

import pytest

from holdfast.machine import Machine
from tests.host.crash.conftest import ask

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]
_LIVES = int(os.environ.get("HOLDFAST_CRASH_LIVES", "12"))
_CHUNKS = 2


@pytest.mark.parametrize("chunk", range(_CHUNKS))
def test_deactivate_restores_the_pristine_machine(machine: Machine, chunk: int) -> None:
    count = _LIVES // _CHUNKS
    answer = ask(machine, "live", "lives", first=chunk * count, count=count)
    assert answer["lives"] == count
    assert answer["steps"] > 3 * count
