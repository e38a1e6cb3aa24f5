"""A system as it travels to a running machine: its manifest, the content it names, and the packages that are not there yet."""

from __future__ import annotations

from collections.abc import Collection

from holdfast.base.codec import canonical_json
from holdfast.base.digests import Digest
from holdfast.distro.lockfile import Ids as LockedIds
from holdfast.distro.lockfile import PackageSet
from holdfast.host.accounts.ids import Ids
from holdfast.host.packages.wanted import SCHEMA, WantedPackage, WantedPackages, write_wanted_packages
from holdfast.manifest import generation
from holdfast.manifest.document import MEDIA_TYPE, write_manifest
from holdfast.manifest.model import BlobFile, Manifest, SecretFile
from holdfast.store import Artifact, Layer, Store


def make_generation(
    store: Store,
    manifest: Manifest,
    package_set: PackageSet | None,
    ids: LockedIds,
    *,
    packages: Collection[Digest] = (),
) -> Artifact:
    """Put the generation into the store. ``packages``: the package files that travel with it; they, and all that the manifest
    names, are in the store. The same input gives the same artifact.

    Raises:
        HoldfastError: something of that is not in the store, or the store cannot be written.
    """
    content = {entry.digest for entry in manifest.files.values() if isinstance(entry, (BlobFile, SecretFile))}
    layers = [Layer(digest, store.blobs.size(digest), generation.BLOB) for digest in sorted(content)]
    if ids.users or ids.groups:
        layers.append(_json(store, canonical_json(Ids(ids.users, ids.groups)), generation.IDS))
    if package_set is not None:
        layers.append(
            _json(store, write_wanted_packages(wanted_packages(package_set)), generation.PACKAGE_SET)
        )
        layers += [
            Layer(digest, store.blobs.size(digest), generation.PACKAGE) for digest in sorted(set(packages))
        ]
    return store.put_artifact(generation.ARTIFACT_TYPE, write_manifest(manifest), MEDIA_TYPE, layers)


def wanted_packages(package_set: PackageSet) -> WantedPackages:
    """What the machine has to know of a locked set (pure)."""
    distribution, request = package_set.distribution, package_set.request
    return WantedPackages(
        SCHEMA,
        distribution.family,
        distribution.release,
        distribution.architecture,
        tuple(
            WantedPackage(one.name, one.version, one.architecture, one.size, one.sha256, one.automatic)
            for one in package_set.packages
        ),
        request.install,
        request.remove,
        request.hold,
        request.recommends,
    )


def _json(store: Store, data: bytes, media_type: str) -> Layer:
    return Layer(store.blobs.put_bytes(data), len(data), media_type)
