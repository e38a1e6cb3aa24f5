"""What the documentation tells people to type works, and prints what the page shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.store import Store, open_store
from tests.architecture.checkout import ROOT, shown
from tests.system.pages import Command, agrees, commands, perform
from tests.system.stage import Here, environment, make_home, make_project, stage

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]
PAGES = [
    ROOT / "README.md",
    *sorted(
        [*ROOT.glob("docs/tutorials/*.md"), *ROOT.glob("docs/how-to/*.md"), *ROOT.glob("docs/reference/*.md")]
    ),
]
WITH_COMMANDS = [shown(page) for page in PAGES if any(commands(page.read_text()))]
STORE_PAGE = "docs/how-to/look-after-the-store.md"
FROM_NOTHING = {
    "README.md",
    "docs/tutorials/first-system.md",
    "docs/how-to/manage-a-first-host.md",
    "docs/how-to/manage-remote-hosts.md",
    "docs/how-to/roll-back.md",
    "docs/how-to/keep-secrets.md",
    "docs/how-to/migrate-from-system-manager.md",
    STORE_PAGE,
}
"""Other pages go on with the project of the tutorial."""


def small_store(directory: Path) -> Store:
    """A store that may be cleaned, with something small under the name that the tutorial gives its system."""
    tree = directory / "tree"
    tree.mkdir()
    (tree / "hello").write_text("held fast\n")
    store = open_store(directory / "store")
    layer = store.layers.from_tree(tree, clamp_mtime=0)
    artifact = store.put_artifact("application/x", b"{}", "application/x-config", [layer])
    store.refs.set("systems/first/web", artifact.manifest)
    return store


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page(
    page: str, shared_store: Store, tmp_path: Path, machine_root: Callable[[str], Path]
) -> None:
    store = small_store(tmp_path) if page == STORE_PAGE else shared_store
    home = make_home(tmp_path)
    here = Here(home if page in FROM_NOTHING else make_project(home, store), environment(home, store))
    notes = tmp_path / "notes"
    notes.mkdir()
    wanted = list(commands((ROOT / page).read_text()))
    done = 0
    with stage(wanted, here, notes=notes, machine_root=machine_root) as shells:
        for one, code, out, err in perform(wanted, shells, notes):
            where = f"{page}:{one.line}: {one.text}\n{out}{err}"
            assert (code != 0) == one.fails, where
            if one.shown is not None:
                said = (err[err.find("error: ") :] if one.fails else out).replace(str(home), "/home/you")
                assert agrees(said, one.shown), where
            done += 1
    assert done == len(wanted)


def test_no_page_changes_the_machine_that_runs_the_tests(
    tmp_path: Path, machine_root: Callable[[str], Path]
) -> None:
    words = ("holdfast plan web", "holdfast switch web --json")
    nobody = stage(
        [Command(1, word) for word in words], Here(tmp_path, {}), notes=tmp_path, machine_root=machine_root
    )
    with pytest.raises(AssertionError, match=r"would change .*\['holdfast switch web --json'\]"), nobody:
        pass


def test_pages_with_commands_are_found() -> None:
    assert {"README.md", "docs/tutorials/first-system.md", STORE_PAGE} <= {*WITH_COMMANDS}
