"""The store of a machine is emptied of what nothing needs, and of nothing else."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from holdfast.base.digests import Digest
from holdfast.engine.outcome import Place
from holdfast.engine.refs import collect_garbage, keep_generations
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.home import locked
from holdfast.host.live import Live
from holdfast.manifest.document import MEDIA_TYPE, write_manifest
from holdfast.manifest.generation import ARTIFACT_TYPE, BLOB
from holdfast.manifest.model import BlobFile, Manifest
from holdfast.store import Layer, Store
from tests.host.roots import a_manifest, make_root


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.delenv("HOLDFAST_STORE", raising=False)
    return Place(make_root(tmp_path / "root"))


@pytest.fixture
def live(place: Place) -> Generator[Live]:
    with place.live() as live:
        yield live


def bring(store: Store, content: bytes, *, artifact: bool = True) -> tuple[Wanted, Digest]:
    """A generation with a file of this content, as an artifact or as a manifest alone."""
    digest = store.blobs.put_bytes(content)
    manifest: Manifest = a_manifest(files={"/etc/a": BlobFile(digest)})
    if not artifact:
        return Wanted(manifest), digest
    layer = Layer(digest, len(content), BLOB)
    made = store.put_artifact(ARTIFACT_TYPE, write_manifest(manifest), MEDIA_TYPE, [layer])
    return Wanted(manifest, artifact=made.manifest), digest


def test_what_no_generation_needs_goes(place: Place, live: Live) -> None:
    store = place.store
    contents: list[Digest] = []
    for number, content in enumerate((b"one", b"two", b"three")):
        wanted, digest = bring(store, content, artifact=number != 1)
        contents.append(digest)
        operations.switch(live, wanted)
        keep_generations(place, live)
    passing = store.blobs.put_bytes(b"only planned")
    collect_garbage(place, live)
    assert [*map(store.blobs.has, contents), store.blobs.has(passing)] == [True, True, True, False]
    operations.delete_generation(live, 1)
    keep_generations(place, live)
    with locked(live):
        collect_garbage(place, live)
    assert all(map(store.blobs.has, contents))  # somebody was changing the machine
    collect_garbage(place, live)
    assert [*map(store.blobs.has, contents)] == [False, True, True]
    operations.rollback(live, 2)
    assert (place.root / "etc/a").read_bytes() == b"two"
