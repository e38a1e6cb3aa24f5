"""What may be imported by whom, and what is not loaded until it is needed."""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from holdfast.base.process import run
from tests.architecture.checkout import BIN, ROOT, SOURCE, nodes, python_files, shown, source

pytestmark = pytest.mark.slow  # it starts programs or waits for them

ENGINE_PACKAGES = ("base", "manifest", "store", "host", "engine")
NOT_IN_3_10 = {"tomllib"}
NAMES_NOT_IN_3_10 = {
    ("enum", "StrEnum"),
    ("typing", "Self"),
    ("typing", "assert_never"),
    ("typing", "override"),
    ("datetime", "UTC"),
    ("hashlib", "file_digest"),
}


_EXITS_OR_PRINTS = re.compile(r"\b(print|exit|quit|breakpoint)\s*\(")


@cache
def imports(path: Path) -> list[tuple[int, str, str]]:
    """Line, module and name of everything the file imports, at any depth."""
    found: list[tuple[int, str, str]] = []
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.lineno, node.module or "", alias.name) for alias in node.names]
    return found


@pytest.mark.slow
def test_one_door_to_processes() -> None:
    doors = {shown(path) for path in SOURCE.rglob("*.py") if "subprocess" in {m for _, m, _ in imports(path)}}
    assert doors == {"src/holdfast/base/process.py"}
    calls = {"system", "popen", "posix_spawn", "posix_spawnp", "spawnv", "spawnve", "spawnvp", "spawnl"}
    guilty = [
        f"{shown(path)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        for node in nodes(path)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", call) for call in calls}
    ]
    assert guilty == []


def test_only_cli_and_engine_exit_or_print() -> None:
    guilty: list[str] = []
    for path in SOURCE.rglob("*.py"):
        if path.relative_to(SOURCE).parts[0] in {"cli", "engine"} or not _EXITS_OR_PRINTS.search(
            source(path)
        ):
            continue  # most files need not be parsed for this
        for node in nodes(path):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in {"print", "sys.exit", "exit", "quit", "breakpoint"}:
                    guilty.append(f"{shown(path)}:{node.lineno} {called}")
    assert guilty == []


@pytest.mark.slow
def test_engine_packages_run_on_python_3_10() -> None:
    guilty: list[str] = []
    for package in ENGINE_PACKAGES:
        for path in (SOURCE / package).rglob("*.py"):
            ast.parse(source(path), feature_version=(3, 10))
            for line, module, name in imports(path):
                if module in NOT_IN_3_10 or (module, name) in NAMES_NOT_IN_3_10:
                    guilty.append(f"{shown(path)}:{line} {module} {name}")
    assert guilty == []


@pytest.mark.slow
def test_no_relative_imports_and_no_postponed_annotations_forgotten() -> None:
    guilty: list[str] = []
    for path in python_files():
        tree = nodes(path)[0]
        assert isinstance(tree, ast.Module)
        guilty += [
            f"{shown(path)}:{node.lineno} relative import"
            for node in nodes(path)
            if isinstance(node, ast.ImportFrom) and node.level
        ]
        defines = any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in tree.body)
        futures = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
        if defines and not futures and SOURCE in path.parents:
            guilty.append(f"{shown(path)} lacks `from __future__ import annotations`")
    assert guilty == []


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nsys.stderr.write('\\n'.join(sys.modules))"
    return set(run([sys.executable, "-c", code], cwd=ROOT).stderr.decode().splitlines())


@pytest.mark.parametrize(
    "package", ["base", "store", "manifest", "library", "distro", "build", "machine", "project"]
)
def test_importing_a_package_root_loads_nothing_behind_it(package: str) -> None:
    if not (SOURCE / package / "__init__.py").exists():
        pytest.skip(f"{package} is not written yet")
    loaded = loaded_after(f"import holdfast.{package}")
    ours = {name for name in loaded if name.startswith("holdfast.")} - {f"holdfast.{package}"}
    assert not {name for name in ours if not name.startswith("holdfast.base")}


def test_importing_holdfast_loads_nothing_of_it() -> None:
    assert {name for name in loaded_after("import holdfast") if name.startswith("holdfast.")} == set()


HEAVY = {
    "rich",
    "urllib3",
    "jeepney",
    "hypothesis",
    "asyncio",
    "http",
    "ssl",
    "email",
    "subprocess",
    "ctypes",
    "tarfile",
}


def test_help_loads_nothing_heavy() -> None:
    completed = run([sys.executable, "-X", "importtime", BIN / "holdfast", "--help"], cwd=ROOT)
    loaded = {
        line.rpartition("|")[2].strip() for line in completed.stderr.decode().splitlines() if "|" in line
    }
    assert "holdfast.cli.main" in loaded, "this test reads -X importtime, and found nothing"
    assert loaded & HEAVY == set()
    ours = {name for name in loaded if name.startswith("holdfast.")}
    assert {name for name in ours if name.split(".")[1] not in {"base", "cli"}} == set()
