from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from holdfast.base.atomic import (
    atomic_file,
    keeps_order,
    replace_link,
    sync_directory,
    sync_file_system,
    write_atomically,
)
from holdfast.base.process import run


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_made_and_replaced(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"one", durable=durable)
    inode = path.stat().st_ino
    write_atomically(path, b"two", mode=0o600, durable=durable)
    assert path.read_bytes() == b"two" and path.stat().st_mode & 0o7777 == 0o600
    assert path.stat().st_ino != inode and names(tmp_path) == ["file"]


def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o7777 == 0o644


def test_a_body_that_raises_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as stream:
        stream.write(b"half of the n")
        raise ZeroDivisionError
    assert path.read_bytes() == b"old" and names(tmp_path) == ["file"]


def test_nothing_shows_before_the_body_ends(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with atomic_file(path) as stream:
        stream.write(b"new")
        stream.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_a_target_that_cannot_be_replaced_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "directory", b"x")
    assert names(tmp_path) == ["directory"]
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "absent" / "file", b"x")


def test_a_long_name_leaves_room_for_the_temporary_one(tmp_path: Path) -> None:
    write_atomically(tmp_path / ("n" * 255), b"x")
    assert names(tmp_path) == ["n" * 255]


def test_a_link_is_made_and_replaced_and_never_followed(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    link = tmp_path / "link"
    replace_link(link, "target")
    replace_link(link, "nowhere")
    assert link.readlink() == Path("nowhere")
    link.unlink()
    link.write_text("a file")
    replace_link(link, "target")
    assert link.readlink() == Path("target") and names(tmp_path) == ["link", "target"]


def test_a_link_does_not_replace_a_directory(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(IsADirectoryError):
        replace_link(tmp_path / "directory", "x")
    assert names(tmp_path) == ["directory"]


def test_syncing_works_and_names_what_is_missing(tmp_path: Path) -> None:
    sync_directory(tmp_path)
    sync_file_system(tmp_path)
    for sync in (sync_directory, sync_file_system):
        with pytest.raises(FileNotFoundError):
            sync(tmp_path / "absent")


FAULTS = ["open", "os.rename", "fsync", "fchmod"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_failure_at_any_step_keeps_the_old_content(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if fault == "os.rename":
        monkeypatch.setattr(Path, "rename", fail)
    else:
        monkeypatch.setattr(os, fault, fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old" and names(tmp_path) == ["file"]


def test_a_process_killed_at_any_step_leaves_the_old_or_the_new_content(tmp_path: Path) -> None:
    outcomes = set()
    for step in range(1, 50):
        path = tmp_path / f"{step}" / "file"
        path.parent.mkdir()
        write_atomically(path, b"old" * 1000)
        child = os.fork()
        if child == 0:  # pragma: no cover
            count = 0

            def watch(event: str, arguments: tuple[object, ...], step: int = step) -> None:
                nonlocal count
                if event.startswith(("open", "os.")):
                    count += 1
                    if count == step:
                        os.kill(os.getpid(), signal.SIGKILL)

            try:
                sys.addaudithook(watch)
                write_atomically(path, b"new" * 1000)
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        outcomes.add(path.read_bytes()[:3])
        assert path.read_bytes() in (b"old" * 1000, b"new" * 1000)
        if status == 0:
            break
    assert outcomes == {b"old", b"new"} and step > 2


@pytest.mark.parametrize("path", ["/", "/tmp", "/proc", "/dev/shm"])
def test_what_is_known_of_the_order_of_renames(path: str) -> None:
    kind = run(["stat", "--file-system", "--format=%T", path]).text.strip()
    directory = os.open(path, os.O_RDONLY)
    assert keeps_order(directory) == (kind in ("ext2/ext3", "xfs"))
    os.close(directory)
