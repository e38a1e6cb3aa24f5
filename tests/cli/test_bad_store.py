"""Stores that are full, read-only, of somebody else, or no stores. Real file systems in private mount namespaces."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from holdfast.base.process import Completed, run
from tests.cli.projects import CommandLine, write_project

HOLDFAST = Path(sys.executable).with_name("holdfast")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts, and changes owners")


def with_mounts(script: str, directory: Path, *arguments: str) -> Completed:
    """Run our command in ``directory``, in a mount namespace that ``script`` has prepared, with the store at ./store."""
    enter = f'cd "$1"; shift; {script}; exec "$@"'
    return run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-ec",
            enter,
            "sh",
            directory,
            HOLDFAST,
            *arguments,
        ],
        env={"HOLDFAST_STORE": str(directory / "store")},
        check=False,
    )


def told(completed: Completed) -> str:
    text = completed.stderr.decode()
    assert completed.returncode == 1, text + completed.text
    assert "error: " in text
    assert "next: " in text
    assert "Traceback" not in text
    assert completed.stdout == b""
    return text


@pytest.mark.system
@pytest.mark.network
@needs_root
def test_a_full_disk(tmp_path: Path) -> None:
    write_project(tmp_path, "")
    text = told(with_mounts("mkdir store; mount -t tmpfs -o size=1m tmpfs store", tmp_path, "lock"))
    assert "No space left on device" in text
    assert "holdfast store gc" in text
    assert not (tmp_path / "holdfast.lock").exists()


@pytest.mark.system
@needs_root
def test_a_read_only_store(tmp_path: Path) -> None:
    write_project(tmp_path, "")
    script = "mkdir store; mount -t tmpfs tmpfs store; mount -o remount,ro store"
    text = told(with_mounts(script, tmp_path, "lock"))
    assert "Read-only file system" in text
    assert "HOLDFAST_STORE" in text


@pytest.mark.system
@needs_root
def test_a_store_made_earlier_and_now_read_only_can_still_be_listed(tmp_path: Path) -> None:
    script = f"mkdir store; {HOLDFAST} store ls >/dev/null; mount --bind store store; mount -o remount,bind,ro store"
    completed = with_mounts(script, tmp_path, "store", "ls")
    assert completed.returncode == 0, completed.stderr.decode()


@needs_root
def test_a_store_of_another_user(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "")
    (tmp_path / "store").mkdir()
    os.chown(tmp_path / "store", 12345, 12345)
    text = holdfast.fails("lock")
    assert "belongs to uid 12345, and this is uid 0" in text
    assert "sudo -u" in text


def test_a_directory_that_is_no_store(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.tex").write_text("mine")
    text = holdfast.fails("store", "ls")
    assert "is no store" in text
    assert "thesis.tex" in text


def test_a_store_below_a_file(holdfast: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    assert "Not a directory" in holdfast.fails("store", "ls")


def test_what_the_host_engine_keeps_beside_the_store_is_no_stranger(
    holdfast: CommandLine, tmp_path: Path
) -> None:
    """On a machine that Holdfast built, /var/lib/holdfast has the engine's state before it has a store."""
    (tmp_path / "store" / "host").mkdir(parents=True)
    assert holdfast("store", "ls") == 0, holdfast.err
