"""Small files, small functions, no drawers for leftovers. Folders do not limit size; only a check does."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.checkout import SOURCE, nodes, python_files, shown

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
DRAWERS = {"util", "utils", "helper", "helpers", "common", "misc", "shared", "stuff"}


def test_files_are_at_most_400_lines() -> None:
    sizes = {shown(path): len(path.read_text().splitlines()) for path in python_files()}
    assert {name: size for name, size in sizes.items() if size > MAX_FILE_LINES} == {}


@pytest.mark.slow
def test_functions_are_at_most_60_lines() -> None:
    long: dict[str, int] = {}
    for path in python_files():
        for node in nodes(path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MAX_FUNCTION_LINES:
                    long[f"{shown(path)}:{node.lineno} {node.name}"] = lines
    assert long == {}


def test_no_module_is_a_drawer() -> None:
    parts = {part for path in python_files() for part in (path.stem.lower(), path.parent.name.lower())}
    assert parts & DRAWERS == set()


def test_packages_hold_no_logic_in_their_root() -> None:
    """`__init__.py` holds a docstring, imports and the lazy re-export; nothing a reader would look for elsewhere."""
    guilty: list[str] = []
    for path in SOURCE.rglob("__init__.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.ClassDef, ast.For, ast.While, ast.With, ast.Try, ast.AsyncFunctionDef)):
                guilty.append(f"{shown(path)}:{node.lineno}")
    assert guilty == []
