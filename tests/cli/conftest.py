"""The command line and an empty store of its own for every test. Engines are packed once for all of them."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from holdfast.base.digests import Digest
from holdfast.engine import archive
from holdfast.engine.about import About
from tests.cli.projects import CommandLine


@pytest.fixture(scope="session", autouse=True)
def _packed_once() -> Generator[None]:
    packed: dict[Digest, bytes] = {}
    pack = archive.pack

    def once(contents: Mapping[str, bytes], about: About) -> bytes:
        if about.digest not in packed:
            packed[about.digest] = pack(contents, about)
        return packed[about.digest]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "pack", once)
        yield


@pytest.fixture
def holdfast(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Our command, run in the test's own directory, with a store in it."""
    monkeypatch.setenv("HOLDFAST_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return CommandLine(capfd)
