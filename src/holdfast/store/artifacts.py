"""OCI manifests and image configurations as frozen types (image-spec v1.1: manifest.md, config.md).

An artifact's identity is the digest of its config, which names the layers by their diffIDs: the digests of the
*uncompressed* tars. In the store layers lie uncompressed, so that a layer's blob digest is its diffID.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import cast

from holdfast.base.codec import JSON, canonical_json
from holdfast.base.digests import Digest, digest_bytes, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass

IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_TAR_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
EMPTY_BYTES = b"{}"


@dataclass(frozen=True)
class Layer:
    """One layer: the digest and size (bytes) of its uncompressed content."""

    diff_id: Digest
    size: int
    media_type: str = LAYER_TAR
    """Something else for a blob that is no tar, such as a package file."""


@dataclass(frozen=True)
class Artifact:
    """An OCI manifest in the store, read."""

    manifest: Digest
    """Digest of the manifest blob: what refs hold."""
    identity: Digest
    """Digest of the config: what signatures and cache keys name."""
    config_media_type: str
    layers: tuple[Layer, ...]
    """From the bottom up."""
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class ImageConfig:
    """What a container image says about itself, apart from its layers."""

    architecture: str
    """In OCI's words, which are Go's: ``amd64``, ``arm64``."""
    created: int
    """Seconds since 1970; from the inputs (SOURCE_DATE_EPOCH), never from the clock."""
    os: str = "linux"
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ("/sbin/init",)
    env: tuple[str, ...] = ()
    """``NAME=value``."""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_signal: str = "SIGRTMIN+3"
    """systemd as PID 1 powers off cleanly on SIGRTMIN+3, see systemd(1)."""
    working_dir: str = ""
    variant: str = ""


def write_image_config(config: ImageConfig, layers: Sequence[Layer]) -> bytes:
    """The canonical image configuration: equal input gives equal bytes."""
    process: dict[str, JSON] = {
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "Env": list(config.env),
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "WorkingDir": config.working_dir,
    }
    document: dict[str, JSON] = {
        "architecture": config.architecture,
        "os": config.os,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(config.created)),
        "config": {name: value for name, value in process.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
    }
    if config.variant:
        document["variant"] = config.variant
    return canonical_json(document)


def descriptor(media_type: str, digest: Digest, size: int) -> dict[str, JSON]:
    """An OCI content descriptor (descriptor.md)."""
    return {"mediaType": media_type, "digest": digest, "size": size}


def write_manifest(
    *,
    config: Mapping[str, JSON],
    layers: Sequence[Mapping[str, JSON]],
    artifact_type: str | None,
    annotations: Mapping[str, str],
) -> bytes:
    """The canonical OCI manifest of the given descriptors."""
    document: dict[str, JSON] = {
        "schemaVersion": 2,
        "mediaType": IMAGE_MANIFEST,
        "config": dict(config),
        "layers": [dict(layer) for layer in layers],
    }
    if artifact_type is not None:
        document["artifactType"] = artifact_type
    if annotations:
        document["annotations"] = dict(annotations)
    return canonical_json(document)


def layer_descriptors(layers: Sequence[Layer]) -> list[dict[str, JSON]]:
    """Descriptors of uncompressed layers; of none, the empty one, as manifest.md asks for portability."""
    if not layers:
        return [descriptor(EMPTY, digest_bytes(EMPTY_BYTES), len(EMPTY_BYTES))]
    return [descriptor(layer.media_type, layer.diff_id, layer.size) for layer in layers]


def read_manifest(data: bytes, digest: Digest) -> Artifact:
    """Parse a manifest blob.

    Raises:
        HoldfastError: it is not an OCI image manifest.
    """
    what = f"the manifest {digest}"
    document = _object(_parse(data, what), what)
    if document.get("schemaVersion") != 2 or document.get("mediaType", IMAGE_MANIFEST) != IMAGE_MANIFEST:
        raise HoldfastError(
            f"{what} is no OCI image manifest",
            resolution="A ref must name a single image or artifact, not an index of several.",
        )
    config = _object(document.get("config"), f"{what}.config")
    layers = tuple(
        Layer(*_descriptor(item, f"{what}.layers")) for item in _list(document.get("layers"), what)
    )
    annotations = _object(document.get("annotations", {}), f"{what}.annotations")
    artifact_type = document.get("artifactType")
    identity, _, media_type = _descriptor(config, f"{what}.config")
    return Artifact(
        manifest=digest,
        identity=identity,
        config_media_type=media_type,
        layers=tuple(layer for layer in layers if layer.media_type != EMPTY),
        artifact_type=None if artifact_type is None else str(artifact_type),
        annotations={key: str(value) for key, value in annotations.items()},
    )


def blobs_of(data: bytes, digest: Digest) -> frozenset[Digest]:
    """Every blob that the manifest needs, itself and the empty ones included.

    Raises:
        HoldfastError: it is not an OCI image manifest.
    """
    what = f"the manifest {digest}"
    artifact = read_manifest(data, digest)
    document = _object(_parse(data, what), what)
    listed = {_descriptor(item, what)[0] for item in _list(document.get("layers"), what)}
    return frozenset({digest, artifact.identity, *listed})


def read_diff_ids(config: bytes, digest: Digest) -> tuple[Digest, ...]:
    """The layers that an image configuration names.

    Raises:
        HoldfastError: it is no image configuration.
    """
    what = f"the image configuration {digest}"
    rootfs = _object(_object(_parse(config, what), what).get("rootfs"), f"{what}.rootfs")
    return tuple(parse_digest(str(item)) for item in _list(rootfs.get("diff_ids"), f"{what}.rootfs"))


def _parse(data: bytes, what: str) -> object:
    try:
        return cast("object", json.loads(data))
    except (ValueError, RecursionError) as error:
        raise HoldfastError(f"{what} is not valid JSON: {error}") from None


def _object(value: object, what: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise HoldfastError(f"{what} must be an object")
    return cast("dict[str, object]", value)


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise HoldfastError(f"{what} must hold a list")
    return cast("list[object]", value)


def _descriptor(value: object, what: str) -> tuple[Digest, int, str]:
    fields = _object(value, what)
    size, media_type = fields.get("size"), fields.get("mediaType")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0 or not isinstance(media_type, str):
        raise HoldfastError(f"{what} holds a descriptor without size or media type")
    return parse_digest(str(fields.get("digest"))), size, media_type
