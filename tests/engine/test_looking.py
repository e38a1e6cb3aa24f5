"""Looking at a machine with the engine as it travels: unpacked nowhere but in its archive."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from holdfast.base.codec import decode_json
from holdfast.base.process import run
from holdfast.manifest.inventory import Inventory
from tests.host.machines import make_machine


@pytest.mark.slow
def test_facts(engine_file: Path, tmp_path: Path) -> None:
    root = make_machine(tmp_path / "root")
    command = [sys.executable, "-I", "-S", str(engine_file), "facts", "--root", str(root), "--contents"]
    for arguments in ([], ["--json"]):
        found = decode_json(Inventory, run([*command, *arguments]).stdout, what="facts")
        assert found.hostname == "web1"
        assert found.files["/etc/foo.conf"].text == "color = blue\n"
