"""The documentation is current, and its links lead somewhere."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterator
from textwrap import indent

import pytest

import holdfast
import holdfast.library
from holdfast.base.process import run
from holdfast.library import evaluate_system
from tests.architecture.checkout import ROOT, shown, tracked_files


@pytest.mark.slow
def test_the_reference_is_what_the_code_says() -> None:
    completed = run([sys.executable, ROOT / "docs" / "generate.py", "--check"], cwd=ROOT, check=False)
    assert completed.returncode == 0, (
        completed.stderr.decode() + "Run `make docs` and commit docs/reference/."
    )


def test_links_between_pages_lead_somewhere() -> None:
    dead: list[str] = []
    for page in (path for path in tracked_files() if path.suffix == ".md"):
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if "://" not in target and not (page.parent / target).exists():
                dead.append(f"{shown(page)}: {target}")
    assert dead == []


def test_every_decision_is_numbered_and_listed() -> None:
    pages = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
    listing = (ROOT / "docs" / "adr" / "README.md").read_text()
    numbers = [int(page.name[:4]) for page in pages]
    assert len(set(numbers)) == len(numbers), "two pages have one number"
    for number, page in zip(numbers, pages, strict=True):
        assert re.match(rf"# {number}\. ", page.read_text()), page.name
        assert f"({page.name})" in listing, f"docs/adr/README.md does not list {page.name}"
        assert len(page.read_text().splitlines()) <= 80


def fragments() -> Iterator[tuple[str, str]]:
    """Python in the how-to guides, with where it is: whole definitions, or lines from the inside of a module.

    Files that the reader writes (``# NAME.py``) need the others: the pages' own tests have them all.
    """
    for page in sorted((ROOT / "docs" / "how-to").glob("*.md")):
        text = page.read_text()
        for found in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
            if not re.match(r"# \w+\.py\n", found[1]):
                yield f"{shown(page)}:{text.count(chr(10), 0, found.start()) + 1}", found[1]


@pytest.mark.parametrize(("place", "code"), list(fragments()))
def test_python_in_the_guides_evaluates(place: str, code: str) -> None:
    """Names are imported from where the README imports them; what a fragment defines is evaluated."""
    if "systems =" not in code:
        code = f"def module(m):\n{indent(code, '    ')}\nsystems = [System('web', modules=[module], distro=Debian('trixie'))]\n"
    names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)} | {
        "System",
        "Debian",
    }
    known: dict[str, object] = {
        name: getattr(source, name)
        for name in names - set(dir(builtins))
        for source in (holdfast.library, holdfast)
        if hasattr(source, name)
    }
    exec(compile(code, place, "exec"), known)
    systems = known["systems"]
    assert isinstance(systems, list)
    for system in systems:
        evaluate_system(system)
