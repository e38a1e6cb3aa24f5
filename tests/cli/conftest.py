"""The command line and an empty store of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.projects import CommandLine


@pytest.fixture
def holdfast(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Our command, run in the test's own directory, with a store in it."""
    monkeypatch.setenv("HOLDFAST_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return CommandLine(capfd)
