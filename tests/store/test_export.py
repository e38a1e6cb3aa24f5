from __future__ import annotations

import gzip
import json
import os
import tarfile
import zlib
from pathlib import Path

import pytest

from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.base.errors import HoldfastError
from holdfast.store import Artifact, ImageConfig, Layer, Store, open_store
from holdfast.store.gzipping import CHUNK, gzip_to
from tests.store.trees_at_hand import Node, make


@pytest.fixture
def image(store: Store, tmp_path: Path) -> Artifact:
    layers = [
        store.layers.from_tree(make(tmp_path / name, [Node(b"a", content=name.encode())]), clamp_mtime=0)
        for name in ("lower", "upper")
    ]
    made = store.put_image(ImageConfig("amd64", 0), layers, annotations={"org.example": "x"})
    store.refs.set("systems/web", made.manifest)
    return made


def read(layout: Path, digest: str) -> bytes:
    data = (layout / "blobs/sha256" / hex_of(Digest(digest))).read_bytes()
    assert digest_bytes(data) == digest
    return data


@pytest.mark.parametrize("packed", [False, True])
def test_an_export_is_an_oci_layout_with_the_same_identity(
    store: Store, image: Artifact, tmp_path: Path, packed: bool
) -> None:
    target = tmp_path / "exported"
    manifest_digest = store.export("systems/web", target, tag="v1", gzip=packed)
    assert (manifest_digest == image.manifest) is not packed
    assert json.loads((target / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = json.loads((target / "index.json").read_bytes())["manifests"]
    assert entry["digest"] == manifest_digest
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "v1"}
    data = read(target, manifest_digest)
    assert entry["size"] == len(data)
    manifest = json.loads(data)
    assert manifest["config"]["digest"] == image.identity and manifest["annotations"] == {"org.example": "x"}
    assert read(target, image.identity) == store.blobs.read(image.identity)
    assert len(list((target / "blobs/sha256").iterdir())) == 4
    for layer, descriptor in zip(image.layers, manifest["layers"], strict=True):
        blob = read(target, descriptor["digest"])
        assert descriptor["size"] == len(blob)
        assert descriptor["mediaType"].endswith("tar+gzip" if packed else "tar")
        assert digest_bytes(gzip.decompress(blob) if packed else blob) == layer.diff_id
    with tarfile.open(target / "blobs/sha256" / hex_of(Digest(manifest["layers"][0]["digest"]))) as tar:
        member = tar.extractfile("a")
        assert member is not None and member.read() == b"lower"


def test_an_export_can_be_opened_as_a_store(store: Store, image: Artifact, tmp_path: Path) -> None:
    store.export(image.manifest, tmp_path / "exported")
    assert open_store(tmp_path / "exported").artifact(image.manifest) == image


def test_an_export_never_overwrites(store: Store, image: Artifact, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    store.export("systems/web", tmp_path / "empty")
    before = sorted(tmp_path.rglob("*"))
    for target in (tmp_path / "empty", tmp_path / "lower/a"):
        with pytest.raises(HoldfastError, match="exists and is not empty"):
            store.export("systems/web", target)
    with pytest.raises(HoldfastError, match="there is no ref systems/other"):
        store.export("systems/other", tmp_path / "new")
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_layer_is_not_exported(store: Store, image: Artifact, tmp_path: Path, packed: bool) -> None:
    path = store.blobs.path(image.layers[0].diff_id)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[700] ^= 1
    path.write_bytes(data)
    with pytest.raises(HoldfastError, match="in the store is damaged"):
        store.export("systems/web", tmp_path / "new", gzip=packed)
    assert not (tmp_path / "new").exists() and not list(tmp_path.glob(".new*"))


def test_an_artifact_without_layers_is_exported(store: Store, tmp_path: Path) -> None:
    made = store.put_artifact("application/x.test", b"c", "text/plain")
    for packed in (False, True):
        target = tmp_path / f"{packed}"
        assert store.export(made.manifest, target, gzip=packed) == made.manifest
        assert read(target, digest_bytes(b"{}")) == b"{}"


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK + 17])
def test_gzip_in_parallel_is_one_stream_whatever_the_processors(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (bytes(range(256)) * 7 + b"some text, ") * (size // 1800 + 1)
    data = data[:size]
    made: set[bytes] = set()
    for processors in (1, 2):
        monkeypatch.setattr(os, "cpu_count", lambda count=processors: count)
        pieces: list[bytes] = []
        gzip_to(pieces.append, (data[start : start + CHUNK] for start in range(0, size, CHUNK)))
        made.add(b"".join(pieces))
    (packed,) = made
    single = zlib.decompressobj(31)
    assert single.decompress(packed) == data and single.eof and single.unused_data == b""
    assert gzip.decompress(packed) == data


def test_a_blob_that_comes_twice_is_exported_once(store: Store, tmp_path: Path) -> None:
    blob = store.blobs.put_bytes(b"package")
    layer = Layer(blob, 7, "application/vnd.debian.binary-package")
    made = store.put_artifact("application/x.test", b"c", "text/plain", [layer, layer])
    for packed in (False, True):
        assert store.export(made.manifest, tmp_path / str(packed), gzip=packed) == made.manifest
