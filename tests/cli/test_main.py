from __future__ import annotations

import sys
from pathlib import Path

from holdfast.base.process import run
from holdfast.cli.main import EVALUATING
from holdfast.cli.table import COMMANDS
from tests.architecture.checkout import SOURCE

HOLDFAST = Path(sys.executable).with_name("holdfast")


def test_commands_that_evaluate_are_those_that_import_evaluation() -> None:
    found = {
        name
        for name, entry in COMMANDS.items()
        if "evaluate(" in (text := (SOURCE / "cli" / "commands" / f"{entry.module or name}.py").read_text())
        or "explain(" in text
    }
    assert found == EVALUATING


def test_the_hash_seed_is_fixed_for_them_alone(tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text(
        "import sys\nprint('randomized:', sys.flags.hash_randomization)\nsystems = []\n"
    )
    completed = run([HOLDFAST, "eval"], cwd=tmp_path, env={"PYTHONHASHSEED": "5"}, check=False)
    assert b"randomized: 0" in completed.stderr


def test_the_console_script_passes_exit_codes_on(tmp_path: Path) -> None:
    assert run([HOLDFAST, "eval"], cwd=tmp_path, check=False).returncode == 1
    assert run([HOLDFAST, "nonsense"], cwd=tmp_path, check=False).returncode == 2
    assert run([HOLDFAST, "--version"], cwd=tmp_path).text.startswith("holdfast ")
