from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.cli.commands.init import TEMPLATES
from tests.cli.projects import CommandLine


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
