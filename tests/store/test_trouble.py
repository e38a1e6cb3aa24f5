"""What the operating system refuses is told with the path, the reason in words, and the next step."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.store import ImageConfig, Store, open_store, store_path
from tests.store.children import told_by
from tests.store.trees_at_hand import Node, make

NOBODY = 65534


def as_nobody(function: Callable[[], object]) -> str:
    def drop_and_run() -> None:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        function()

    return told_by(drop_and_run)


@contextmanager
def mounted(where: Path, options: str) -> Generator[None]:
    """A tmpfs during the body, in this child's own mount namespace: it goes with the child at the latest."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.unshare(0x00020000) == 0  # CLONE_NEWNS
    run(["mount", "--make-rprivate", "/"])
    where.mkdir(exist_ok=True)
    run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", where])
    try:
        yield
    finally:
        run(["umount", "--lazy", where])


@pytest.mark.system
def test_a_full_disk_is_told_and_leaves_the_store_whole(tmp_path: Path) -> None:
    make(tmp_path / "tree", [Node(f"{number}".encode(), content=b"x" * 300_000) for number in range(5)])

    def fill() -> None:
        with mounted(tmp_path / "mnt", "size=1m,mode=700"):
            store = open_store(tmp_path / "mnt" / "store")
            kept = store.put_artifact("application/x", b"c", "text/plain")
            store.refs.set("x", kept.manifest)
            with pytest.raises(HoldfastError) as caught:
                store.layers.from_tree(tmp_path / "tree", clamp_mtime=0)
            assert store.refs.get("x") == kept.manifest
            assert list((store.root / "tmp").iterdir()) == []
            assert store.verify().ok
            store.close()
            store.gc()
            assert store.verify().ok
            raise caught.value

    text = told_by(fill)
    assert text.startswith(
        f"cannot write to the store {tmp_path}/mnt/store: the disk is full (No space left on device)"
    )
    assert "holdfast store gc" in text


@pytest.mark.system
def test_garbage_can_be_collected_on_a_full_disk(tmp_path: Path) -> None:
    def fill() -> None:
        with mounted(tmp_path / "mnt", "size=1m,mode=700"):
            store = open_store(tmp_path / "mnt" / "store")
            with store.blobs.writer() as writer:
                writer.write(b"x" * 500_000)
                writer.commit()
            store.close()
            with (tmp_path / "mnt" / "ballast").open("wb", buffering=0) as ballast:
                try:
                    while ballast.write(b"x" * 4096) == 4096:
                        pass
                except OSError:
                    pass
            assert store.gc().freed_bytes == 500_000
            store.blobs.put_bytes(b"y" * 100_000)

    assert told_by(fill) == ""


def test_a_limit_on_file_sizes_stops_a_layer_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/large").write_bytes(b"x" * 5_000_000)
    store = open_store(tmp_path / "store")

    def pack() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        try:
            store.layers.from_tree(tmp_path / "tree", clamp_mtime=0)
        finally:
            assert list((store.root / "tmp").iterdir()) == []

    assert told_by(pack).startswith(f"cannot write to the store {store.root}: File too large")
    assert list(store.blobs.list()) == []


@pytest.mark.system
def test_a_read_only_store_can_be_read_and_not_written(tmp_path: Path) -> None:
    def work() -> None:
        with mounted(tmp_path / "mnt", "size=9m,mode=700"):
            store = open_store(tmp_path / "mnt" / "store")
            layer = store.layers.from_tree(make(tmp_path / "tree", [Node(b"a")]), clamp_mtime=0)
            store.trees.ensure(layer.diff_id)
            image = store.put_image(ImageConfig("amd64", 0), [layer])
            store.refs.set("x", image.manifest)
            store.cache.put("key", image.manifest)
            store.close()
            run(["mount", "-o", "remount,ro", tmp_path / "mnt"])
            store = open_store(tmp_path / "mnt" / "store")
            assert store.artifact(store.resolve("x")) == image
            assert store.cache.get("key") == image.manifest
            assert (store.trees.ensure(layer.diff_id) / "a").is_file()
            assert store.verify().ok
            store.export("x", tmp_path / "exported")
            for write in (
                lambda: store.blobs.put_bytes(b"new"),
                lambda: store.refs.set("y", image.manifest),
                lambda: store.refs.delete("x"),
                store.gc,
                lambda: store.layers.from_tree(tmp_path / "tree", clamp_mtime=0),
            ):
                with pytest.raises(HoldfastError, match="Read-only file system") as caught:
                    write()
                assert "remount it, or set HOLDFAST_STORE" in caught.value.resolution
                assert str(store.root) in caught.value.brief

    assert told_by(work) == ""


@pytest.fixture
def open_to_all() -> Generator[Path]:
    """A directory that nobody may enter and write; tmp_path lies below one that pytest closes again and again."""
    place = Path(tempfile.mkdtemp(dir="/var/tmp", prefix="holdfast-test-"))
    place.chmod(0o777)
    yield place
    shutil.rmtree(place)


@pytest.mark.system
def test_a_store_of_another_user_is_refused_both_ways(open_to_all: Path) -> None:
    open_store(open_to_all / "roots").blobs.put_bytes(b"secret")
    text = as_nobody(lambda: open_store(open_to_all / "roots"))
    assert text.startswith(f"the store {open_to_all}/roots belongs to uid 0, and this is uid {NOBODY}")
    assert "HOLDFAST_STORE" in text and "sudo" in text

    assert as_nobody(lambda: open_store(open_to_all / "theirs")) == ""
    with pytest.raises(HoldfastError, match=f"belongs to uid {NOBODY}, and this is uid 0"):
        open_store(open_to_all / "theirs")


@pytest.mark.system
def test_an_unprivileged_user_has_a_full_store_but_for_foreign_owners(open_to_all: Path) -> None:
    owner = (NOBODY, NOBODY)
    make(
        open_to_all / "tree",
        [Node(b"d/a", content=b"1", owner=owner), Node(b"closed", "directory", mode=0o555, owner=owner)],
    )
    for path in (open_to_all / "tree", open_to_all / "tree/d"):
        os.chown(path, *owner)
    make(open_to_all / "roots", [Node(b"a", mode=0o644)])

    def work() -> None:
        store = open_store(open_to_all / "store")
        layer = store.layers.from_tree(open_to_all / "tree", clamp_mtime=0)
        assert (store.trees.ensure(layer.diff_id) / "d/a").read_bytes() == b"1"
        store.refs.set("x", store.put_image(ImageConfig("amd64", 0), [layer]).manifest)
        assert store.verify().ok
        store.refs.delete("x")
        store.close()
        store.gc()
        assert list(store.blobs.list()) == [] and list((store.root / "tmp").iterdir()) == []
        store.trees.ensure(store.layers.from_tree(open_to_all / "roots", clamp_mtime=0).diff_id)

    text = as_nobody(work)
    assert text.startswith("cannot unpack 'a' (owner 0:0): Operation not permitted"), text
    assert "need root: run the command with sudo" in text


def test_a_directory_with_other_things_in_it_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(HoldfastError, match=r"is no store: it already holds other things \(letters\)"):
        open_store(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]
    with pytest.raises(HoldfastError, match=r"cannot open the store .*: Not a directory"):
        open_store(tmp_path / "letters")


def test_a_plain_oci_layout_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    store = open_store(tmp_path)
    store.blobs.put_bytes(b"x")
    assert open_store(tmp_path).verify().ok


def test_where_the_store_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOLDFAST_STORE", "relative")
    monkeypatch.chdir(tmp_path)
    assert store_path() == tmp_path / "relative"
    monkeypatch.delenv("HOLDFAST_STORE")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert store_path() == Path("/var/lib/holdfast")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert store_path() == Path("/data/holdfast")
    monkeypatch.setenv("XDG_DATA_HOME", "relative is invalid")
    monkeypatch.setenv("HOME", "/home/x")
    assert store_path() == Path("/home/x/.local/share/holdfast")


def test_a_tree_cannot_be_made_of_a_layer_that_is_not_there(store: Store) -> None:
    digest = store.blobs.put_bytes(b"x" * 1024)
    store.blobs.path(digest).unlink()
    with pytest.raises(HoldfastError, match="is not in the store"):
        store.trees.ensure(digest)
