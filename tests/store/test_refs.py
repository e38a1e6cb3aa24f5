from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.store import Artifact, Store, open_store


def artifact(store: Store, text: str = "config") -> Artifact:
    return store.put_artifact("application/x.test", text.encode(), "text/plain")


def test_a_ref_can_be_set_moved_listed_and_deleted(store: Store) -> None:
    one, two = artifact(store, "1").manifest, artifact(store, "2").manifest
    assert store.refs.get("systems/web") is None
    store.refs.set("systems/web", one)
    store.refs.set("a", two)
    store.refs.set("systems/web", two)
    store.cache.put("key", one)
    assert store.refs.get("systems/web") == two == store.resolve("systems/web")
    assert dict(store.refs.list()) == {"a": two, "systems/web": two}
    assert store.refs.names() == ("a", "cache/key", "systems/web")
    index = json.loads((store.root / "index.json").read_bytes())
    assert [entry["annotations"]["org.opencontainers.image.ref.name"] for entry in index["manifests"]] == [
        "a",
        "systems/web",
    ]
    store.refs.delete("systems/web")
    assert store.refs.get("systems/web") is None and not (store.root / "refs/systems").exists()
    with pytest.raises(HoldfastError, match="there is no ref systems/web"):
        store.refs.delete("systems/web")
    with pytest.raises(HoldfastError, match="there is no ref systems/web"):
        store.resolve("systems/web")


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "../a", "a/../b", ".a", "a b", "a\0", "-a", "x" * 201, "ü"]
)
def test_a_name_that_could_leave_the_directory_or_confuse_is_refused(store: Store, name: str) -> None:
    digest = artifact(store).manifest
    with pytest.raises(HoldfastError, match="is not a ref name"):
        store.refs.set(name, digest)
    with pytest.raises(HoldfastError, match="is not a ref name"):
        store.refs.get(name)


def test_a_ref_to_something_incomplete_is_refused(store: Store) -> None:
    made = artifact(store)
    store.blobs.path(made.identity).unlink()
    with pytest.raises(HoldfastError, match="is not in the store"):
        store.refs.set("x", made.manifest)
    with pytest.raises(HoldfastError, match="is not in the store"):
        store.refs.set("x", digest_bytes(b"nothing"))
    assert store.refs.names() == ()


def test_a_name_cannot_be_both_a_ref_and_a_directory_of_refs(store: Store) -> None:
    digest = artifact(store).manifest
    store.refs.set("a", digest)
    with pytest.raises(HoldfastError, match="cannot write the ref a/b"):
        store.refs.set("a/b", digest)
    assert store.refs.get("a/b") is None
    store.refs.set("c/d", digest)
    with pytest.raises(HoldfastError, match="cannot write the ref c "):
        store.refs.set("c", digest)


@pytest.mark.parametrize(
    "content", [b"", b"sha256:", b"sha256:" + b"g" * 64 + b"\n", b"a" * 64 + b"\n", b"sha256:" + b"a" * 64]
)
def test_a_damaged_ref_is_an_error_that_names_its_file(store: Store, content: bytes) -> None:
    store.refs.set("x", artifact(store).manifest)
    (store.root / "refs/x").write_bytes(content)
    with pytest.raises(HoldfastError, match="the ref x is damaged") as caught:
        store.refs.get("x")
    assert str(store.root / "refs/x") in caught.value.details


def test_the_cache_forgets_what_is_incomplete(store: Store) -> None:
    made = artifact(store)
    store.cache.put("key", made.manifest)
    assert store.cache.get("key") == made.manifest and store.cache.keys() == ("key",)
    assert store.cache.get("other") is None
    store.blobs.path(made.identity).unlink()
    assert store.cache.get("key") is None


@pytest.mark.slow
def test_many_threads_set_and_delete_refs_side_by_side(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    digest = artifact(store).manifest
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            own = open_store(tmp_path / "store")
            for turn in range(10):
                own.refs.set(f"shared/deep/{number}", digest)
                if turn != 9:
                    own.refs.delete(f"shared/deep/{number}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(store.refs.list()) == 4
    assert store.verify().ok


def test_a_ref_outlives_a_power_cut_with_what_it_names(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What rename(2) and mkdir(2) did is durable once the directory is synced; so each is, the blobs' before the ref appears."""
    made = artifact(store).manifest
    path = store.root / "refs/a/b/c"
    synced: list[tuple[str, bool]] = []

    def watch(descriptor: int) -> None:
        name = Path(f"/proc/self/fd/{descriptor}").resolve().relative_to(store.root)
        synced.append((str(name), path.exists()))
        fsync(descriptor)

    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", watch)
    store.refs.set("a/b/c", made)
    assert synced[0] == ("blobs/sha256", False)
    assert {("refs/a/b", True), ("refs/a", True), ("refs", True)} <= set(synced)
