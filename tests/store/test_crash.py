"""A writer that is killed at any moment leaves a store in which everything that can be seen is whole."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from holdfast.store import ImageConfig, Store, open_store
from tests.store.children import ended, start
from tests.store.trees_at_hand import Node, make

OWN = (os.geteuid(), os.getegid())
NODES = [Node(b"etc/a", content=b"1" * 2000, owner=OWN), Node(b"etc/.x/b", content=b"2", owner=OWN)]
STRIDE = 4
"""Every how many steps the writer is killed; 1 takes a minute."""
_WATCHED = ("open", "os.", "shutil.", "fcntl.", "ctypes.")


def work(base: Path) -> None:
    """Everything that writes: blobs, a layer, its tree, an image, a ref, a cache entry, an adopted tree, gc."""
    store = open_store(base / "store")
    store.blobs.put_bytes(b"loose")
    layer = store.layers.from_tree(base / "tree", clamp_mtime=0)
    store.trees.ensure(layer.diff_id)
    image = store.put_image(ImageConfig("amd64", 0), [layer])
    store.refs.set("systems/web", image.manifest)
    with store.scratch() as scratch:
        make(scratch / "other", [Node(b"o", owner=OWN)])
        other = store.layers.from_tree(scratch / "other", clamp_mtime=0)
        store.trees.adopt(other.diff_id, scratch / "other")
    store.cache.put("key", store.put_artifact("application/x", b"c", "text/plain", [other]).manifest)
    store.refs.set("systems/web", store.put_image(ImageConfig("amd64", 1), [layer, other]).manifest)
    store.close()
    store.gc(all_cache=True)


def die_at(step: int) -> None:
    """Kill this process at its ``step``-th call into the operating system that Python audits (PEP 578)."""
    count = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event.startswith(_WATCHED):
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def check(store: Store) -> None:
    report = store.verify()
    stale_index = [finding for finding in report.findings if finding.name == "index.json"]
    assert [finding for finding in report.findings if finding not in stale_index] == []
    for digest in store.refs.list().values():
        for layer in store.artifact(digest).layers:
            assert (store.trees.ensure(layer.diff_id) / ("o" if layer.size < 4096 else "etc/a")).is_file()


@pytest.mark.system
@pytest.mark.slow
def test_a_writer_killed_at_any_step_leaves_nothing_half_visible(tmp_path: Path) -> None:
    step, status = 1, -1
    while status != 0:
        base = tmp_path / f"{step}"
        make(base / "tree", NODES)

        def work_and_die(base: Path = base, step: int = step) -> None:
            die_at(step)
            work(base)

        status = ended(start(work_and_die))
        assert status in (0, signal.SIGKILL)
        store = open_store(base / "store")
        check(store)
        store.close()
        store.gc()
        check(store)
        assert list((store.root / "tmp").iterdir()) == []
        work(base)  # what is left must not be in the way
        check(store)
        shutil.rmtree(base)
        step += STRIDE
    assert step > 150


@pytest.mark.slow
def test_a_writer_killed_at_any_time_leaves_nothing_half_visible(tmp_path: Path) -> None:
    """Writers in one store, killed while they write, beside one that collects garbage."""
    make(tmp_path / "tree", NODES)
    store = open_store(tmp_path / "store")

    def work_on() -> None:
        while True:
            work(tmp_path)

    for turn in range(12):
        children = [start(work_on) for _ in range(2)]
        try:
            for _ in range(turn % 4):
                store.gc()
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
        assert [ended(child) for child in children] == [signal.SIGKILL] * 2
        check(store)
        store.close()
    store.gc()
    check(store)


def test_concurrent_writers_of_the_same_things_do_not_disturb_each_other(tmp_path: Path) -> None:
    make(tmp_path / "tree", NODES)

    def write() -> None:
        store = open_store(tmp_path / "store")
        layer = store.layers.from_tree(tmp_path / "tree", clamp_mtime=0)
        store.trees.ensure(layer.diff_id)
        store.refs.set("web", store.put_image(ImageConfig("amd64", 0), [layer]).manifest)

    children = [start(write) for _ in range(4)]
    assert [ended(child) for child in children] == [0, 0, 0, 0]
    store = open_store(tmp_path / "store")
    assert store.verify().ok and store.verify().blobs == 3
