from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.store import Artifact, ImageConfig, Store, open_store
from tests.examples import at_most
from tests.store.trees_at_hand import Node, make

OWN = (os.geteuid(), os.getegid())


def image(store: Store, tmp_path: Path, text: str) -> Artifact:
    tree = make(tmp_path / f"tree-{text}", [Node(b"a", content=text.encode(), owner=OWN)])
    layer = store.layers.from_tree(tree, clamp_mtime=0)
    store.trees.ensure(layer.diff_id)
    return store.put_image(ImageConfig("amd64", 0), [layer])


def files(store: Store) -> set[str]:
    places = ("blobs/sha256", "tables", "trees", "refs", "leases", "tmp")
    return {f"{place}/{path.name}" for place in places for path in (store.root / place).iterdir()}


def test_what_a_ref_needs_stays_and_the_rest_goes(store: Store, tmp_path: Path) -> None:
    kept, gone = image(store, tmp_path, "kept"), image(store, tmp_path, "gone")
    store.refs.set("x", kept.manifest)
    store.close()
    before = files(store)
    planned = store.gc(dry_run=True)
    assert files(store) == before and planned.dry_run
    report = store.gc()
    assert report.removed == planned.removed and report.freed_bytes > 0
    layer = gone.layers[0].diff_id[7:]
    assert sorted((item.kind, item.name) for item in report.removed if item.kind != "leftover") == sorted(
        [
            ("tree", layer),
            ("table", layer),
            ("blob", layer),
            ("blob", gone.manifest[7:]),
            ("blob", gone.identity[7:]),
        ]
    )
    assert (report.kept_blobs, store.verify().ok) == (3, True)
    assert store.trees.has(kept.layers[0].diff_id) and not store.trees.has(gone.layers[0].diff_id)
    store.refs.delete("x")
    store.gc()
    assert files(store) == set()


def test_what_another_opener_uses_stays_until_it_closes(store: Store, tmp_path: Path) -> None:
    other = open_store(store.root)
    made = image(other, tmp_path, "used")
    assert store.gc().removed == ()
    other.close()
    assert store.gc().removed != () and not store.blobs.has(made.manifest)


def test_a_lease_keeps_all_that_a_manifest_names(store: Store, tmp_path: Path) -> None:
    made = image(store, tmp_path, "leased")
    with store.lease("machine x", [made.manifest]):
        assert [item.kind for item in store.gc().removed] == []
    assert len([item for item in store.gc().removed if item.kind == "blob"]) == 3


def test_a_lease_on_a_layer_keeps_its_tree(store: Store, tmp_path: Path) -> None:
    layer = image(store, tmp_path, "leased").layers[0].diff_id
    with store.lease("machine x", [layer]):
        assert [item.kind for item in store.gc().removed] == ["blob", "blob"]
        assert store.trees.has(layer) and store.verify().ok


def test_the_death_of_a_process_ends_its_leases(store: Store, tmp_path: Path) -> None:
    made = image(store, tmp_path, "x")
    store.close()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            lease = open_store(store.root).lease("machine", [made.manifest])
            lease.__enter__()
            os.write(write, b"!")
            time.sleep(60)
        finally:
            os._exit(1)
    try:
        assert os.read(read, 1) == b"!"
        assert store.gc().removed == ()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        os.close(write)
    assert {item.kind for item in store.gc().removed} == {"blob", "table", "tree", "leftover"}
    assert files(store) == set()


def test_leftovers_of_dead_processes_go_and_those_of_the_living_stay(store: Store) -> None:
    (store.root / "tmp/file-dead").write_bytes(b"x" * 1000)
    (store.root / "tmp/tree-dead/fs").mkdir(parents=True)
    (store.root / "refs/.x.0123.tmp").write_bytes(b"")
    with store.scratch() as scratch, store.blobs.writer() as writer:
        (scratch / "work").write_bytes(b"x")
        writer.write(b"alive")
        removed = {item.name for item in store.gc().removed}
        assert removed == {"file-dead", "tree-dead", ".x.0123.tmp"}
        assert (scratch / "work").exists()
        assert store.blobs.read(writer.commit()) == b"alive"
    assert list((store.root / "tmp").iterdir()) == []


def test_two_collections_at_a_time_do_not_disturb_each_other(store: Store) -> None:
    """Both find what a third left behind, and remove it side by side."""
    for number in range(3):
        left = store.root / "tmp" / f"removed-{number}"
        for name in range(10):
            (left / str(name)).mkdir(parents=True)
            for file in range(30):
                (left / str(name) / str(file)).touch()
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: open_store(store.root).gc(), range(3)))
    assert any(report.removed for report in reports)
    assert list((store.root / "tmp").iterdir()) == []


def test_cache_entries_stay_while_they_are_used_or_cost_nothing(store: Store, tmp_path: Path) -> None:
    used, unused, free, system = (
        image(store, tmp_path, name) for name in ("used", "unused", "free", "system")
    )
    layers = system.layers
    free = store.put_artifact("application/x.step", b"step", "text/plain", layers)
    for key, made in (("used", used), ("unused", unused), ("free", free)):
        store.cache.put(key, made.manifest)
    store.refs.set("system", system.manifest)
    for key in ("unused", "free"):
        long_ago = time.time() - 15 * 86400
        os.utime(store.root / "refs/cache" / key, (long_ago, long_ago))
    store.close()
    assert [item.name for item in store.gc().removed if item.kind == "cache entry"] == ["unused"]
    assert store.cache.get("free") == free.manifest and store.cache.get("used") == used.manifest
    store.close()
    assert [item.name for item in store.gc(cache_days=0).removed if item.kind == "cache entry"] == ["used"]
    removed = store.gc(all_cache=True).removed
    assert [item.name for item in removed if item.kind == "cache entry"] == ["free"]
    assert store.artifact(system.manifest) == system and store.verify().ok


def test_nothing_is_removed_when_a_ref_is_damaged(store: Store, tmp_path: Path) -> None:
    made = image(store, tmp_path, "x")
    store.refs.set("x", made.manifest)
    store.close()
    store.blobs.path(made.manifest).chmod(0o600)
    store.blobs.path(made.manifest).write_bytes(b"{}")
    before = files(store)
    with pytest.raises(HoldfastError, match=r"cannot tell what is needed: ref x names") as caught:
        store.gc()
    assert "Nothing was removed" in caught.value.resolution and files(store) == before
    (store.root / "refs/x").write_bytes(b"?")
    with pytest.raises(HoldfastError, match="the ref x is damaged"):
        store.gc()
    assert files(store) == before


def put(store: Store, config: bytes, blobs: list[bytes]) -> Artifact:
    from holdfast.store import Layer

    layers = [Layer(store.blobs.put_bytes(blob), len(blob), "application/x.blob") for blob in blobs]
    return store.put_artifact("application/x.test", config, "text/plain", layers)


contents = st.binary(min_size=1, max_size=2)


@at_most(15, suppress=[HealthCheck.function_scoped_fixture])
@given(
    artifacts=st.lists(st.tuples(contents, st.lists(contents, max_size=3)), min_size=1, max_size=5),
    roots=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["ref", "lease", "cache", "none"])), max_size=5
    ),
    loose=st.lists(contents, max_size=3),
)
def test_gc_keeps_exactly_what_is_reachable(
    tmp_path_factory: pytest.TempPathFactory,
    artifacts: list[tuple[bytes, list[bytes]]],
    roots: list[tuple[int, str]],
    loose: list[bytes],
) -> None:
    store = open_store(tmp_path_factory.mktemp("gc") / "store")
    made = [put(store, *artifact) for artifact in artifacts]
    for data in loose:
        store.blobs.put_bytes(data)
    wanted: set[Digest] = set()
    leased: list[Digest] = []
    for number, (which, how) in enumerate(roots):
        artifact = made[which % len(made)]
        if how == "ref":
            store.refs.set(f"r/{number}", artifact.manifest)
        elif how == "cache":
            store.cache.put(f"{number}", artifact.manifest)
        elif how == "lease":
            leased.append(artifact.manifest)
        if how != "none":
            wanted |= {artifact.manifest, artifact.identity, *(layer.diff_id for layer in artifact.layers)}
            wanted |= set() if artifact.layers else {digest_bytes(b"{}")}
    store.close()
    with store.lease("test", leased):
        report = store.gc()
    assert set(store.blobs.list()) == wanted
    assert report.kept_blobs == len(wanted)
    assert store.verify().ok
