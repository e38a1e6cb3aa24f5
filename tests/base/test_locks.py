from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, Message, listen
from holdfast.base.locks import file_lock


@contextmanager
def held_elsewhere(path: Path, *, shared: bool = False) -> Generator[int]:
    """Another process that holds the lock; yields its process id."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            with file_lock(path, shared=shared, purpose="the thing"):
                os.write(write, b"!")
                time.sleep(30)
        finally:
            os._exit(0)
    try:
        assert os.read(read, 1) == b"!"
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)


def test_a_second_holder_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "lock") as holder:
        with (
            pytest.raises(HoldfastError, match=f"the store is locked by process {holder} ") as caught,
            file_lock(tmp_path / "lock", purpose="the store"),
        ):
            pytest.fail("the lock was taken twice")
        assert str(tmp_path / "lock") in caught.value.resolution


def test_the_lock_is_free_again_after_the_body_and_stays_on_disk(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), file_lock(tmp_path / "lock", purpose="x"):
            raise ZeroDivisionError
    assert (tmp_path / "lock").is_file()


def test_the_death_of_the_holder_frees_the_lock(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "lock") as holder:
        os.kill(holder, signal.SIGKILL)
        with file_lock(tmp_path / "lock", wait_seconds=10, purpose="x"):
            pass


@pytest.mark.slow
def test_waiting_ends_when_the_holder_lets_go_and_is_announced_once(tmp_path: Path) -> None:
    events: list[Event] = []
    with held_elsewhere(tmp_path / "lock") as holder, listen(events.append):
        threading.Timer(0.2, os.kill, (holder, signal.SIGKILL)).start()
        with file_lock(tmp_path / "lock", wait_seconds=10, purpose="the store"):
            pass
    (told,) = [event for event in events if isinstance(event, Message)]
    assert told.text.startswith(f"Waiting for process {holder}") and told.text.endswith(
        "to release the store"
    )


@pytest.mark.slow
def test_waiting_has_a_bound(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "lock"):
        started = time.monotonic()
        with (
            pytest.raises(HoldfastError, match="is locked by"),
            file_lock(tmp_path / "lock", wait_seconds=0.2, purpose="x"),
        ):
            pytest.fail("the lock was taken twice")
        assert 0.2 <= time.monotonic() - started < 5


def test_shared_holders_stand_each_other_and_no_exclusive_one(tmp_path: Path) -> None:
    with held_elsewhere(tmp_path / "lock", shared=True):
        with file_lock(tmp_path / "lock", shared=True, purpose="x"):
            pass
        with (
            pytest.raises(HoldfastError, match="is locked by another process"),
            file_lock(tmp_path / "lock", purpose="x"),
        ):
            pytest.fail("the lock was taken twice")
    with (
        held_elsewhere(tmp_path / "lock"),
        pytest.raises(HoldfastError, match="is locked"),
        file_lock(tmp_path / "lock", shared=True, purpose="x"),
    ):
        pytest.fail("the lock was taken twice")


def test_a_lock_path_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("elsewhere")
    with pytest.raises(OSError, match="symbolic links"), file_lock(tmp_path / "lock", purpose="x"):
        pytest.fail("a link was followed")
    assert not (tmp_path / "elsewhere").exists()
