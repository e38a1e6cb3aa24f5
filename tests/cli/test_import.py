from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.manifest.document import read_manifest
from holdfast.manifest.model import Identity
from holdfast.project.evaluation import evaluate
from tests.cli.projects import CommandLine
from tests.host.importing.test_system_manager import changes, managed

SYSTEM = """\
from holdfast import Debian, System
from taken import taken_over

systems = [System("box", modules=[taken_over], distro=Debian("trixie"))]
"""


def test_what_is_taken_over_can_be_declared(
    holdfast: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = managed(tmp_path)
    taken = tmp_path / "taken.py"
    assert holdfast("import", "system-manager", "--root", str(root), "--definition", str(taken)) == 0, (
        holdfast.err
    )
    assert holdfast.out.startswith("Took over 11 paths from System Manager as generation 1")
    text = taken.read_text()
    assert "hush" not in text
    assert "# /etc/secret: its content is only on the machine" in text
    (tmp_path / "systems.py").write_text(SYSTEM)
    monkeypatch.syspath_prepend(tmp_path)
    (system,) = evaluate(str(tmp_path / "systems.py"), in_process=True).systems
    manifest = replace(read_manifest(system.data), identity=Identity("box", locale=None, timezone=None))
    # What has no content in the definition goes, and nothing else.
    assert {action.path for action in changes(root, manifest)} == {"/etc/binary", "/etc/secret"}


def test_json_and_refusals(holdfast: CommandLine, tmp_path: Path) -> None:
    root = managed(tmp_path)
    assert "exists already" in holdfast.fails(
        "import", "system-manager", "--root", str(root), "--definition", str(root / "etc/passwd")
    )
    assert holdfast("import", "system-manager", "--root", str(root), "--json") == 0
    assert json.loads(holdfast.out)["generation"] == 1
    assert "nothing to take over" in holdfast.fails("import", "system-manager", "--root", str(root))
