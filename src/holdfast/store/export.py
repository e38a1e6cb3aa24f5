"""One artifact as an OCI image layout directory of its own, for skopeo, umoci, podman and everybody else."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

from holdfast.base.atomic import sync_file_system
from holdfast.base.codec import JSON, canonical_json
from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import Stage, stage
from holdfast.store import artifacts
from holdfast.store.artifacts import Artifact, Layer
from holdfast.store.blobs import Blobs
from holdfast.store.gzipping import CHUNK, gzip_to
from holdfast.store.layout import OCI_LAYOUT
from holdfast.store.refs import REF_NAME_ANNOTATION


def export(blobs: Blobs, artifact: Artifact, destination: Path, *, tag: str, gzip: bool) -> Digest:
    """See :meth:`holdfast.store.store.Store.export`.

    Raises:
        HoldfastError: ``destination`` exists and is not empty, or it cannot be written.
    """
    destination = destination.absolute()
    total = sum(layer.size for layer in artifact.layers)
    staging = destination.with_name(f".{destination.name}.{token_hex(6)}.tmp")
    with (
        stage("Exporting", total=total, unit="bytes") as progress,
        explain_os_errors(f"export to {destination}"),
    ):
        if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
            raise HoldfastError(
                f"cannot export to {destination}: it exists and is not empty",
                resolution="Name a new directory, or empty that one.",
            )
        target = staging / "blobs" / "sha256"
        target.mkdir(parents=True)
        try:
            manifest = _Export(blobs, target, progress).run(artifact, gzip=gzip)
            size = (target / hex_of(manifest)).stat().st_size
            entry: dict[str, JSON] = artifacts.descriptor(artifacts.IMAGE_MANIFEST, manifest, size)
            entry["annotations"] = {REF_NAME_ANNOTATION: tag}
            if artifact.artifact_type is not None:
                entry["artifactType"] = artifact.artifact_type
            index = {"schemaVersion": 2, "mediaType": artifacts.IMAGE_INDEX, "manifests": [entry]}
            (staging / "index.json").write_bytes(canonical_json(index))
            (staging / "oci-layout").write_bytes(OCI_LAYOUT)
            sync_file_system(staging)
            staging.rename(destination)  # replaces an empty directory, see rename(2)
        finally:
            if staging.exists():
                shutil.rmtree(staging)
    return manifest


class _Export:
    def __init__(self, blobs: Blobs, target: Path, progress: Stage) -> None:
        self._blobs = blobs
        self._target = target
        self._progress = progress

    def run(self, artifact: Artifact, *, gzip: bool) -> Digest:
        self._put(self._blobs.read(artifact.identity))
        if not gzip:
            for digest in sorted({layer.diff_id for layer in artifact.layers}):
                self._copy(digest)
            if not artifact.layers:
                self._put(artifacts.EMPTY_BYTES)
            return self._put(self._blobs.read(artifact.manifest))
        config = artifacts.descriptor(
            artifact.config_media_type, artifact.identity, self._blobs.size(artifact.identity)
        )
        layers = [self._compress(layer) for layer in artifact.layers] or artifacts.layer_descriptors(())
        if not artifact.layers:
            self._put(artifacts.EMPTY_BYTES)
        return self._put(
            artifacts.write_manifest(
                config=config,
                layers=layers,
                artifact_type=artifact.artifact_type,
                annotations=artifact.annotations,
            )
        )

    def _put(self, data: bytes) -> Digest:
        digest = digest_bytes(data)
        (self._target / hex_of(digest)).write_bytes(data)
        return digest

    def _copy(self, digest: Digest) -> None:
        with (self._target / hex_of(digest)).open("wb") as copy:
            for chunk in self._read(digest):
                copy.write(chunk)

    def _compress(self, layer: Layer) -> dict[str, JSON]:
        if layer.media_type != artifacts.LAYER_TAR:
            self._copy(layer.diff_id)
            return artifacts.descriptor(layer.media_type, layer.diff_id, layer.size)
        state = hashlib.sha256()
        size = 0
        temporary = self._target / f"{hex_of(layer.diff_id)}.tmp"
        with temporary.open("xb") as packed:

            def write(data: bytes) -> None:
                nonlocal size
                state.update(data)
                size += packed.write(data)

            gzip_to(write, self._read(layer.diff_id))
        temporary.rename(self._target / state.hexdigest())
        return artifacts.descriptor(artifacts.LAYER_TAR_GZIP, Digest("sha256:" + state.hexdigest()), size)

    def _read(self, digest: Digest) -> Iterator[bytes]:
        """The blob in chunks; an error after the last of them if it is not what it should be."""
        state = hashlib.sha256()
        with self._blobs.open(digest) as source:
            while chunk := source.read(CHUNK):
                state.update(chunk)
                yield chunk
                self._progress.advance(len(chunk))
        if state.hexdigest() != hex_of(digest):
            raise HoldfastError(
                f"the layer {digest} in the store is damaged", resolution="Run `holdfast store verify`."
            )
