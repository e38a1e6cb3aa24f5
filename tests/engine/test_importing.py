"""`holdfast import system-manager` with the engine as it travels, on a root that does not run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from holdfast.base.process import ProcessError, run
from tests.host.importing.test_system_manager import STATE, managed


@pytest.mark.slow
def test_take_over(engine_file: Path, tmp_path: Path) -> None:
    root = managed(tmp_path)
    command = [sys.executable, "-I", "-S", str(engine_file), "import", "system-manager", "--root", str(root)]
    result = json.loads(run([*command, "--json"]).stdout)
    assert result["generation"] == 1
    assert result["masked"] == ["apt-daily.timer"]
    assert not (root / STATE).exists()
    with pytest.raises(ProcessError, match="there is nothing to take over from System Manager"):
        run(command)


@pytest.mark.slow
def test_it_is_told_in_words(engine_file: Path, tmp_path: Path) -> None:
    root = managed(tmp_path)
    command = [sys.executable, "-I", "-S", str(engine_file), "import", "system-manager", "--root", str(root)]
    lines = run(command).text.splitlines()
    assert lines[0] == "Took over 11 paths from System Manager as generation 1; nothing in use changed."
    assert "  /etc/nix.conf" in lines
    assert "Note: /etc/gone is in System Manager's state, but not there any more" in lines
