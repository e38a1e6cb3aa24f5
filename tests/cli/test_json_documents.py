"""docs/reference/json.md says which keys the documents for programs have: all that there are, and no others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOT
from tests.cli.projects import CommandLine, write_project
from tests.host.roots import make_root

BODY = 'm[Files]["/etc/greeting"].text = "hello\\n"\nm[Identity].locale = None\nm[Identity].timezone = None'


def described(first_cell: str) -> set[str]:
    """What stands in backquotes in the second cell of a row of the page, but for what stands in parentheses."""
    page = (ROOT / "docs/reference/json.md").read_text()
    (cell,) = (
        cells[2] for line in page.splitlines() if (cells := line.split("|"))[1:2] == [f" {first_cell} "]
    )
    return set(re.findall(r"`(\w+)`", re.sub(r"\([^()]*\)", "", cell)))


@pytest.mark.slow
def test_documents_for_machines_have_the_keys_that_the_page_names(
    holdfast: CommandLine, tmp_path: Path
) -> None:
    root = str(make_root(tmp_path / "root"))
    write_project(tmp_path, BODY)
    page = (ROOT / "docs/reference/json.md").read_text()

    def asked(*words: str) -> dict[str, object]:
        assert holdfast(*words, "--json", "--root", root) == 0, holdfast.err
        assert all(line.startswith("{") and json.loads(line) for line in holdfast.err.splitlines())
        (found,) = json.loads(holdfast.out)
        assert isinstance(found, dict)
        shared = page.partition("| key | |")[2].partition("\n\n")[0]
        assert found.keys() == {
            name for row in re.findall(r"(?m)^\| (.*?) \|", shared) for name in re.findall(r"`(\w+)`", row)
        }
        return found

    def result(*words: str) -> set[str]:
        found = asked(*words)["result"]
        assert isinstance(found, dict)
        return set(found)

    planned = described("`plan`, `--dry-run`")
    assert result("plan") == planned
    changing = described(
        "`switch`, `rollback`, `repair`, `adopt`, `deactivate`, `generations activate`, `generations prepopulate`"
    )
    assert result("switch") == planned | changing
    assert result("switch", "--dry-run") == planned
    assert result("generations", "activate") == planned | changing - {"confirm_until"}
    assert result("status") == described("`status`")
    listed = asked("generations", "list")["result"]
    assert isinstance(listed, list) and set(listed[0]) == described("`generations list`")
    assert result("generations", "register") == described("`generations list`")
    assert result("generations", "show", "1") == described("`generations show`")
    assert result("recover") == described("`recover`")
    assert result("deactivate") == planned | changing


@pytest.mark.slow
def test_a_failure_of_a_machine_is_in_its_document(holdfast: CommandLine, tmp_path: Path) -> None:
    root = str(make_root(tmp_path / "root"))
    assert holdfast("generations", "show", "7", "--json", "--root", root) == 1
    (found,) = json.loads(holdfast.out)
    assert (found["state"], found["exit_code"], found["result"]) == ("failed", 1, None)
    assert found["error"].keys() == {"brief", "details", "resolution"}
    assert "there is no generation 7" in found["error"]["brief"]
