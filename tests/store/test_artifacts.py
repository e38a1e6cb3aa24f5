from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.store import ImageConfig, Layer, Store
from holdfast.store.artifacts import IMAGE_CONFIG
from tests.store.trees_at_hand import Node, make

CONFIG = ImageConfig("amd64", 1_700_000_000, env=("A=b",), labels={"org.example": "1"})


def test_an_image_is_an_oci_image(store: Store, tmp_path: Path) -> None:
    layer = store.layers.from_tree(make(tmp_path / "tree", [Node(b"a")]), clamp_mtime=0)
    image = store.put_image(CONFIG, [layer], annotations={"x": "y"})
    manifest = json.loads(store.blobs.read(image.manifest))
    config = json.loads(store.blobs.read(image.identity))
    assert config == {
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {
            "Cmd": ["/sbin/init"],
            "Env": ["A=b"],
            "Labels": {"org.example": "1"},
            "StopSignal": "SIGRTMIN+3",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id]},
    }
    assert manifest["config"] == {
        "mediaType": IMAGE_CONFIG,
        "digest": image.identity,
        "size": store.blobs.size(image.identity),
    }
    assert [item["digest"] for item in manifest["layers"]] == [layer.diff_id]
    assert store.artifact(image.manifest) == image
    assert image.layers == (layer,) and image.annotations == {"x": "y"} and image.artifact_type is None
    assert store.put_image(CONFIG, [layer], annotations={"x": "y"}) == image
    assert store.put_image(CONFIG, [layer]).identity == image.identity


def test_an_artifact_keeps_its_own_types(store: Store) -> None:
    package = Layer(store.blobs.put_bytes(b"a package"), 9, "application/vnd.debian.binary-package")
    made = store.put_artifact("application/x.test", b'{"a":1}', "application/x.test.config", [package])
    assert made.identity == digest_bytes(b'{"a":1}')
    assert store.artifact(made.manifest) == made
    assert (made.artifact_type, made.config_media_type, made.layers) == (
        "application/x.test",
        "application/x.test.config",
        (package,),
    )


def test_an_artifact_without_layers_names_the_empty_one(store: Store) -> None:
    made = store.put_artifact("application/x.test", b"c", "text/plain")
    assert made.layers == ()
    store.refs.set("x", made.manifest)
    store.close()
    assert store.gc().kept_blobs == 3


def test_a_layer_that_is_not_there_or_of_another_size_is_refused(store: Store) -> None:
    with pytest.raises(HoldfastError, match="is not in the store"):
        store.put_image(CONFIG, [Layer(digest_bytes(b"?"), 1)])
    with pytest.raises(HoldfastError, match="has not 2 bytes"):
        store.put_image(CONFIG, [Layer(store.blobs.put_bytes(b"x"), 2)])


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"no json", "not valid JSON"),
        (b"[]", "must be an object"),
        (
            b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json"}',
            "is no OCI image manifest",
        ),
        (b'{"schemaVersion":2}', "config must be an object"),
        (
            b'{"schemaVersion":2,"config":{"mediaType":"a","digest":"sha256:x","size":1},"layers":[]}',
            "not a SHA-256",
        ),
        (
            b'{"schemaVersion":2,"config":{"mediaType":"a","digest":"sha256:x","size":-1},"layers":[]}',
            "without size",
        ),
        (b'{"schemaVersion":2,"config":{},"layers":3}', "must hold a list|without size"),
    ],
)
def test_a_manifest_that_is_none_is_refused(store: Store, document: bytes, message: str) -> None:
    with pytest.raises(HoldfastError, match=message):
        store.artifact(store.blobs.put_bytes(document))


def test_an_image_whose_manifest_and_config_disagree_is_refused(store: Store, tmp_path: Path) -> None:
    layer = store.layers.from_tree(make(tmp_path / "tree", [Node(b"a")]), clamp_mtime=0)
    image = store.put_image(CONFIG, [layer])
    other = json.loads(store.blobs.read(image.manifest))
    other["layers"] = []
    with pytest.raises(HoldfastError, match="lists other layers than its image configuration"):
        store.artifact(store.blobs.put_bytes(json.dumps(other).encode()))
