"""A generation as it travels (:mod:`holdfast.manifest.generation`), to what a machine is to become."""

from __future__ import annotations

from pathlib import Path

from holdfast.base.codec import decode_json
from holdfast.base.digests import Digest, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.host.accounts.ids import Ids
from holdfast.host.change import Wanted
from holdfast.host.packages.wanted import read_wanted_packages
from holdfast.manifest import generation
from holdfast.manifest.document import MEDIA_TYPE, read_manifest
from holdfast.manifest.model import BlobFile, Manifest, SecretFile
from holdfast.store.artifacts import Artifact
from holdfast.store.store import Store


def read_generation(store: Store, digest: Digest) -> Wanted:
    """What the artifact ``digest`` in ``store`` makes of a machine.

    Raises:
        HoldfastError: it is not there, not whole, or no generation.
    """
    artifact = store.artifact(digest)
    if artifact.artifact_type != generation.ARTIFACT_TYPE or artifact.config_media_type != MEDIA_TYPE:
        raise HoldfastError(
            f"the artifact {hex_of(digest)[:12]} is no generation of a machine",
            details=f"It says that it is {artifact.artifact_type or artifact.config_media_type}.",
            resolution="`holdfast switch` on the author's side makes generations and brings them here.",
        )
    manifest = read_manifest(store.blobs.read(artifact.identity), what="the generation's manifest")
    _demand_blobs(store, manifest, artifact)
    ids = _only(artifact, generation.IDS)
    packages = _only(artifact, generation.PACKAGE_SET)
    return Wanted(
        manifest,
        ids=decode_json(Ids, store.blobs.read(ids), what="the generation's ids") if ids else Ids(),
        artifact=digest,
        packages=read_wanted_packages(store.blobs.read(packages)) if packages else None,
    )


def read_manifest_file(path: Path) -> Wanted:
    """A manifest in a file, for machines that somebody sits at: what it names must be in the store already.

    Raises:
        HoldfastError: it cannot be read, or is no manifest.
    """
    with explain_os_errors("read the manifest"):
        data = path.read_bytes()
    return Wanted(read_manifest(data, what=str(path)))


def _only(artifact: Artifact, media_type: str) -> Digest | None:
    found = [layer.diff_id for layer in artifact.layers if layer.media_type == media_type]
    if len(found) > 1:
        raise HoldfastError(
            f"the generation {hex_of(artifact.manifest)[:12]} has several layers of the type {media_type}",
            resolution="Make it again with this version of Holdfast.",
        )
    return found[0] if found else None


def _demand_blobs(store: Store, manifest: Manifest, artifact: Artifact) -> None:
    """What the manifest names has to be among the layers: only those are kept for as long as the generation is."""
    layers = {layer.diff_id for layer in artifact.layers}
    for path, entry in manifest.files.items():
        if isinstance(entry, (BlobFile, SecretFile)) and (
            entry.digest not in layers or not store.blobs.has(entry.digest)
        ):
            raise HoldfastError(
                f"the generation {hex_of(artifact.manifest)[:12]} comes without the content of {path}",
                details=entry.digest,
                resolution="Bring it here again: `holdfast switch` on the author's side.",
            )
