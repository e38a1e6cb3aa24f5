"""The checkout under test: where it is and which files belong to it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from holdfast.base.process import run

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "holdfast"
BIN = ROOT / ".venv" / "bin"


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files that git tracks or would offer to track; in an unpacked release, every file outside hidden places."""
    if (ROOT / ".git").exists():
        listing = run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        names = [name for name in listing.text.split("\0") if name]
        return tuple(sorted(path for name in names if (path := ROOT / name).is_file()))
    return tuple(
        sorted(
            path
            for path in ROOT.rglob("*")
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(ROOT).parts[:-1])
        )
    )


def python_files() -> tuple[Path, ...]:
    return tuple(path for path in tracked_files() if path.suffix == ".py")


@cache
def source(path: Path) -> str:
    return path.read_text()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of the file's syntax tree, parsed once for all tests of a worker."""
    return tuple(ast.walk(ast.parse(source(path))))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))
