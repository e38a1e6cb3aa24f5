"""Planted mistakes: both checkers flag each of them, and no line of correct use."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from holdfast.base.process import run

ROOT = Path(__file__).resolve().parents[2]
PLANTED = Path(__file__).parent / "planted"
BIN = Path(sys.executable).parent

Flagged = dict[str, set[int]]


def expected() -> Flagged:
    found: Flagged = {}
    for path in PLANTED.glob("*.py"):
        lines = path.read_text().splitlines()
        found[path.name] = {number for number, line in enumerate(lines, 1) if "# expect-error" in line}
    return found


def compare(checker: str, flagged: Flagged) -> None:
    wanted = expected()
    missed = {f"{name}:{line}" for name, lines in wanted.items() for line in lines - flagged.get(name, set())}
    surplus = {
        f"{name}:{line}" for name, lines in flagged.items() for line in lines - wanted.get(name, set())
    }
    assert (missed, surplus) == (set(), set()), f"{checker}: missed, surplus"


def test_there_is_something_to_flag() -> None:
    wanted = expected()
    assert len(wanted["mistakes.py"]) >= 40
    assert wanted["correct.py"] == wanted["sets.py"] == set()


@pytest.mark.slow
def test_mypy_flags_each_mistake(tmp_path: Path) -> None:
    # No exclude: the project's own configuration leaves the planted files out.
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\nstrict = True\npython_version = 3.11\nmypy_path = {ROOT / 'src'}:{ROOT}\n"
        "explicit_package_bases = True\nnamespace_packages = True\n"
        f"cache_dir = {tmp_path / 'cache'}\n"
    )
    files = sorted(str(path) for path in PLANTED.glob("*.py"))
    ended = run(
        [str(BIN / "mypy"), "--config-file", str(tmp_path / "mypy.ini"), *files], check=False, cwd=ROOT
    )
    flagged: Flagged = {}
    for path, line in re.findall(r"^(.+?):(\d+): error:", ended.stdout.decode(), re.MULTILINE):
        flagged.setdefault(Path(path).name, set()).add(int(line))
    compare("mypy --strict", flagged)


@pytest.mark.slow
def test_basedpyright_flags_each_mistake(tmp_path: Path) -> None:
    settings = {
        "include": [str(PLANTED)],
        "extraPaths": [str(ROOT), str(ROOT / "src")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    ended = run(
        [
            str(BIN / "basedpyright"),
            "-p",
            str(tmp_path / "pyrightconfig.json"),
            "--pythonpath",
            sys.executable,
            "--outputjson",
        ],
        check=False,
        cwd=tmp_path,
    )
    report = json.loads(ended.stdout)
    assert report["summary"]["filesAnalyzed"] >= 3
    flagged: Flagged = {}
    for one in report["generalDiagnostics"]:
        if one["severity"] == "error":
            flagged.setdefault(Path(one["file"]).name, set()).add(one["range"]["start"]["line"] + 1)
    compare("basedpyright", flagged)
