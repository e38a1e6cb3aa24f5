"""Changes that wait to be confirmed, below a root. Timers and reboots: tests/system."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from holdfast.engine.confirming import around
from holdfast.engine.launch import ENGINE_HOME
from holdfast.engine.outcome import Place
from holdfast.host import confirmation, operations
from holdfast.host.change import Wanted
from holdfast.host.home import home_path
from holdfast.host.live import Live
from holdfast.host.units.systemd import Systemd
from holdfast.manifest.model import TextFile
from tests.host.roots import a_manifest, make_root

WANTED = Wanted(a_manifest(files={"/x": TextFile("x")}))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(make_root(tmp_path / "root", {f"{ENGINE_HOME}/current/run": ""}))


@pytest.fixture
def live(place: Place) -> Iterator[Live]:
    with place.live() as opened:
        yield replace(opened, systemd=cast("Systemd", object()))  # there is one; nothing is asked of it


@pytest.mark.parametrize("committed", [True, False])
def test_a_change_that_fails_keeps_nothing_that_nobody_confirmed(
    place: Place, live: Live, committed: bool
) -> None:
    with pytest.raises(OSError, match="disk"), around(place, live, 60, answers=True):
        if committed:
            operations.switch(live, WANTED)
        raise OSError("the disk is full")
    assert operations.status(live).generation is None and not (place.root / "x").exists()
    assert confirmation.read(home_path(live)) is None
    assert not list((place.root / "etc/systemd/system").iterdir())
