"""The linters and both type checkers, as ordinary tests: `make test` is the only gate there is."""

from __future__ import annotations

import pytest

from holdfast.base.process import run
from tests.architecture.checkout import BIN, ROOT

CHECKS = {
    "ruff format": ["ruff", "format", "--check", "."],
    "ruff check": ["ruff", "check", "."],
    "mypy": ["mypy"],
    "basedpyright": ["basedpyright"],
    "import-linter": ["lint-imports", "--no-cache"],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_checker_is_content(name: str) -> None:
    program, *arguments = CHECKS[name]
    completed = run(
        [BIN / program, *arguments],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT / "src"), "HOME": "/tmp"},
        check=False,
    )
    assert completed.returncode == 0, (completed.stdout + completed.stderr).decode(errors="replace")[-6000:]
