"""The documentation is current, and its links lead somewhere."""

from __future__ import annotations

import re
import sys

from holdfast.base.process import run
from tests.architecture.checkout import ROOT, shown, tracked_files


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
