"""What the documentation tells people to type works, and prints what the page shows."""

from __future__ import annotations

import os
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from holdfast.base.locks import file_lock
from holdfast.base.process import run
from holdfast.store import Store, open_store
from tests.architecture.checkout import BIN, ROOT, shown
from tests.system.pages import commands, essence, perform

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]
PAGES = [
    ROOT / "README.md",
    *sorted(
        [*ROOT.glob("docs/tutorials/*.md"), *ROOT.glob("docs/how-to/*.md"), *ROOT.glob("docs/reference/*.md")]
    ),
]
WITH_COMMANDS = [shown(page) for page in PAGES if any(commands(page.read_text()))]
STORE_PAGE = "docs/how-to/look-after-the-store.md"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A reader's home directory, with a program in it for root, who needs no sudo(8)."""
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (home / "bin" / "sudo").chmod(0o755)
    (home / "bin" / "holdfast").symlink_to(BIN / "holdfast")
    return home


def begin(page: str, home: Path, store: Store) -> Path:
    """Where the reader of a page is: other pages go on with the project of the tutorial."""
    if "tutorials" in page or page == "README.md":
        return home
    project = home / "first"
    project.mkdir()
    (project / "systems.py").write_bytes(
        files("holdfast.cli.templates").joinpath("container.py").read_bytes()
    )
    kept = store.root / "pages.lock"
    with file_lock(kept.with_suffix(".turn"), wait_seconds=600, purpose="the lock of the tutorial"):
        if not kept.exists():
            run([BIN / "holdfast", "lock"], cwd=project, env={"HOLDFAST_STORE": str(store.root)})
            shutil.copy(project / "holdfast.lock", kept)
    shutil.copy(kept, project / "holdfast.lock")
    return project


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
def test_the_commands_of_a_page(page: str, home: Path, shared_store: Store, tmp_path: Path) -> None:
    store = small_store(tmp_path) if page == STORE_PAGE else shared_store
    directory = home if page == STORE_PAGE else begin(page, home, store)
    environment = {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "HOLDFAST_STORE": str(store.root),
    }
    notes = tmp_path / "notes"
    notes.mkdir()
    wanted = list(commands((ROOT / page).read_text()))
    done = 0
    for one, code, out, err in perform(wanted, directory, environment, notes=notes, timeout=600):
        where = f"{page}:{one.line}: {one.text}\n{out}{err}"
        assert code == (1 if one.fails else 0), where
        if one.shown is not None:
            said = (err if one.fails else out).replace(str(home), "/home/you")
            assert essence(said) == essence(one.shown), where
        done += 1
    assert done == len(wanted)


def test_pages_with_commands_are_found() -> None:
    assert {"README.md", "docs/tutorials/first-system.md", STORE_PAGE} <= {*WITH_COMMANDS}
