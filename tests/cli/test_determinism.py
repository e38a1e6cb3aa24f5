"""The same definition gives the same bytes, whoever asks from wherever."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from holdfast.base.process import run
from tests.architecture.checkout import ROOT
from tests.cli.projects import CommandLine, write_project

HOLDFAST = Path(sys.executable).with_name("holdfast")
WEB = ROOT / "examples" / "web" / "systems.py"


def evaluate(selector: str, cwd: Path, **env: str) -> bytes:
    return run([HOLDFAST, "eval", selector, "--json"], cwd=cwd, env=env).stdout


@pytest.mark.slow
def test_the_same_bytes_twice_from_another_directory_and_in_another_environment(tmp_path: Path) -> None:
    first = evaluate(f"{WEB}:web", tmp_path)
    assert first.startswith(b"{")
    assert evaluate("web", WEB.parent, PYTHONHASHSEED="7", USER="somebody", LANG="de_DE.UTF-8") == first
    assert evaluate("examples/web/systems.py:web", ROOT, PYTHONHASHSEED="8", TZ="Asia/Tokyo") == first


@pytest.mark.slow
def test_a_blank_line_above_a_definition_changes_nothing(tmp_path: Path) -> None:
    for path in WEB.parent.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".lock":
            copy = tmp_path / path.relative_to(WEB.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    before = evaluate("web", tmp_path)
    systems = tmp_path / "systems.py"
    text = systems.read_text()
    systems.write_text(text.replace("    m[", "\n\n    m[", 1))
    assert systems.read_text() != text
    assert evaluate("web", tmp_path) == before


@pytest.mark.slow
def test_sets_of_python_do_not_make_the_order(tmp_path: Path) -> None:
    """Iterating a set of strings depends on the interpreter's hash seed; a manifest must not."""
    write_project(
        tmp_path,
        """
        for name in {"alpha", "beta", "gamma", "delta", "epsilon"}:
            m[Packages].install = [name]
            m[Files][f"/etc/{name}"].text = name
        """,
    )
    results = {evaluate("web", tmp_path, PYTHONHASHSEED=str(seed)) for seed in range(4)}
    assert len(results) == 1


def test_in_process_gives_the_same(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Identity].hostname = "web1"', extra="print('noise')\n")
    assert holdfast("eval", "--json") == 0, holdfast.err
    isolated = holdfast.out
    assert holdfast("eval", "--json", "--in-process") == 0, holdfast.err
    assert holdfast.out == isolated
