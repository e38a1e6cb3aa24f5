from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from holdfast.base.process import run
from holdfast.cli.main import EVALUATING
from holdfast.cli.table import COMMANDS
from tests.architecture.checkout import SOURCE

pytestmark = pytest.mark.slow  # it starts programs or waits for them

HOLDFAST = Path(sys.executable).with_name("holdfast")


def test_commands_that_evaluate_are_those_that_import_evaluation() -> None:
    found = {
        name
        for name, entry in COMMANDS.items()
        if "evaluate(" in (text := (SOURCE / "cli" / "commands" / f"{entry.module or name}.py").read_text())
        or "explain(" in text
        or "bring(" in text  # which evaluates
    }
    assert found == EVALUATING


@pytest.mark.slow
def test_the_hash_seed_is_fixed_for_them_alone(tmp_path: Path) -> None:
    (tmp_path / "systems.py").write_text(
        "import sys\nprint('randomized:', sys.flags.hash_randomization)\nsystems = []\n"
    )
    completed = run([HOLDFAST, "eval"], cwd=tmp_path, env={"PYTHONHASHSEED": "5"}, check=False)
    assert b"randomized: 0" in completed.stderr


def test_an_interrupt_while_we_are_loading_leaves_no_traceback() -> None:
    script = """
import os, signal, sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "holdfast.cli.table":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
sys.argv = ["holdfast", "--version"]
from holdfast.cli.main import main
main()
"""
    completed = run([sys.executable, "-c", script], check=False)
    assert (completed.returncode, completed.stderr) == (-signal.SIGINT, b"")


@pytest.mark.parametrize(("before", "code"), [("trap '' HUP", 0), ("true", 143)])
@pytest.mark.slow
def test_a_hangup_that_is_ignored_stays_ignored(tmp_path: Path, before: str, code: int) -> None:
    """As nohup(1) has it."""
    (tmp_path / "systems.py").write_text(
        "import os, signal, time\nfrom holdfast import Debian, System\n"
        "os.kill(os.getppid(), signal.SIGHUP)\ntime.sleep(0.1)\n"
        "systems = [System('web', modules=[], distro=Debian('trixie'))]\n"
    )
    completed = run(["sh", "-c", f"{before}; exec {HOLDFAST} eval"], cwd=tmp_path, check=False)
    assert completed.returncode == code, completed.stderr.decode()


def test_asking_loads_nothing_that_building_or_drawing_needs() -> None:
    """Most of what `eval` takes is imports."""
    heavy = [
        *("subprocess", "traceback", "rich", "urllib3", "holdfast.options", "holdfast.library"),
        *("holdfast.store", "holdfast.distro", "holdfast.build"),
    ]
    script = (
        "import sys, holdfast.cli.commands.evaluate, holdfast.cli.commands.explain, holdfast.project.definitions; "
        f"print(*(name for name in {heavy!r} if name in sys.modules))"
    )
    assert run([sys.executable, "-c", script]).text == "\n"


@pytest.mark.slow
def test_the_library_is_compiled_once_and_the_project_never(tmp_path: Path) -> None:
    project, compiled = tmp_path / "project", tmp_path / "compiled"
    project.mkdir()
    (project / "beside.py").write_text("NAME = 'web'\n")
    (project / "systems.py").write_text(
        "from beside import NAME\nfrom holdfast import Debian, System\n"
        "systems = [System(NAME, modules=[], distro=Debian('trixie'))]\n"
    )
    run([HOLDFAST, "eval"], cwd=project, env={"PYTHONPYCACHEPREFIX": str(compiled)})
    names = {path.name.split(".")[0] for path in compiled.rglob("*.pyc")}
    assert {"manifest", "engine"} <= names
    assert "beside" not in names


@pytest.mark.slow
def test_the_console_script_passes_exit_codes_on(tmp_path: Path) -> None:
    assert run([HOLDFAST, "eval"], cwd=tmp_path, check=False).returncode == 1
    assert run([HOLDFAST, "nonsense"], cwd=tmp_path, check=False).returncode == 2
    assert run([HOLDFAST, "--version"], cwd=tmp_path).text.startswith("holdfast ")
