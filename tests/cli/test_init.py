from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from holdfast.base.codec import decode_json
from holdfast.cli.commands.init import TEMPLATES
from holdfast.manifest.inventory import Inventory
from tests.cli.projects import CommandLine
from tests.host.machines import make_machine

pytestmark = pytest.mark.slow  # it starts programs or waits for them


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_works_at_once(holdfast: CommandLine, tmp_path: Path, template: str) -> None:
    assert holdfast("init", "--template", template, "project") == 0
    assert holdfast.out == "Wrote project/systems.py. Its first lines say what to try.\n"
    assert holdfast("eval", "project/") == 0, holdfast.err
    text = (tmp_path / "project" / "systems.py").read_text()
    assert text.startswith('"""')
    assert text.count("# ") >= 1, "a template explains itself"


def test_nothing_is_overwritten(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text("mine\n")
    assert "exists already" in holdfast.fails("init")
    assert (tmp_path / "systems.py").read_text() == "mine\n"


def test_an_unknown_template_lists_the_known_ones(holdfast: CommandLine) -> None:
    assert holdfast("init", "--template", "cloud") == 2
    assert "container" in holdfast.err


def test_a_machine_is_described(holdfast: CommandLine, tmp_path: Path) -> None:
    root = make_machine(tmp_path / "root")
    assert holdfast("init", "--root", str(root), "project") == 0, holdfast.err
    first, *notes = holdfast.out.splitlines()
    assert first == "Wrote project/systems.py, and 9 files below project/files."
    assert "Not in it: /etc/sudoers.d/ann: not everybody may read it" in notes
    assert (tmp_path / "project/files/etc/foo.conf").read_text() == "color = blue\n"
    assert os.access(tmp_path / "project/files/etc/cron.daily/tidy", os.X_OK)
    assert holdfast("eval", "project/:web1") == 0, holdfast.err
    assert "web1" in holdfast.out
    assert "exists already" in holdfast.fails("init", "--root", str(root), "project")


def test_a_machine_gets_the_name_that_is_asked_for(holdfast: CommandLine, tmp_path: Path) -> None:
    root = make_machine(tmp_path / "root")
    assert holdfast("init", "--from", "local", "--root", str(root), "--name", "shop", "project") == 0
    assert 'System("shop"' in (tmp_path / "project/systems.py").read_text().replace("\n        ", "")
    assert holdfast("init", "--name", "shop") == 2
    assert holdfast("init", "--from", "local", "--template", "vm") == 2
    assert "exists already" in holdfast.fails("init", "--root", str(root), "project")
    (tmp_path / "project/systems.py").unlink()
    assert "project/files exists already" in holdfast.fails("init", "--root", str(root), "project")


def test_facts(holdfast: CommandLine, tmp_path: Path) -> None:
    root = make_machine(tmp_path / "root")
    assert holdfast("facts", "--root", str(root)) == 0, holdfast.err
    found = decode_json(Inventory, holdfast.out.encode(), what="facts")
    assert found.hostname == "web1"
    assert found.files["/etc/foo.conf"].text is None
    assert holdfast("facts", "--root", str(root), "--contents") == 0
    assert json.loads(holdfast.out)["files"]["/etc/foo.conf"]["text"] == "color = blue\n"
    assert holdfast("facts", "--root", str(root), "--target-host", "a@b") == 2
    assert "--root names a directory of this machine" in holdfast.err
