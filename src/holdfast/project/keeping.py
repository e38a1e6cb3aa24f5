"""Under which names the store keeps a project's systems, and what its lock needs.

Packages and indexes stay as long as the lock names them: otherwise a garbage collection would take them, and the next build would
need a mirror that still has them.
"""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.base.codec import canonical_json
from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.distro.lockfile import Lock, PackageSet
from holdfast.store import Layer, Store

_ARTIFACT = "application/vnd.holdfast.lock.v1"
_PACKAGE = "application/vnd.debian.binary-package"
_INDEX = "application/vnd.debian.index"


def system_ref(file: Path, system: str) -> str:
    """The name of a system of the project at ``file``: ``systems/DIRECTORY/NAME``."""
    return f"systems/{_directory(file)}/{system}"


def _directory(file: Path) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", file.parent.name).strip(".-") or "root"


def keep_locked(store: Store, lock_path: Path, lock: Lock) -> None:
    """Name everything of ``lock`` that the store has, and let go of what the project's earlier locks named.

    Raises:
        HoldfastError: the store cannot be written.
    """
    place = hex_of(digest_bytes(str(lock_path.resolve()).encode()))[:8]
    prefix = f"locks/{_directory(lock_path)}-{place}/"
    names: set[str] = set()
    for key, package_set in lock.sets.items():
        layers = _present(store, package_set)
        if layers:
            name = prefix + key.removeprefix("sha256:")[:12]
            config = canonical_json(package_set)
            artifact = store.put_artifact(_ARTIFACT, config, f"{_ARTIFACT}+json", layers)
            store.refs.set(name, artifact.manifest)
            names.add(name)
    for name in store.refs.list():
        if name.startswith(prefix) and name not in names:
            store.refs.delete(name)


def _present(store: Store, package_set: PackageSet) -> list[Layer]:
    wanted: dict[Digest, str] = {}
    for source in package_set.sources:
        wanted.update(dict.fromkeys((source.release, *source.indexes.values()), _INDEX))
    wanted.update(dict.fromkeys((package.sha256 for package in package_set.packages), _PACKAGE))
    return [
        Layer(digest, store.blobs.size(digest), media_type)
        for digest, media_type in sorted(wanted.items())
        if store.blobs.has(digest)
    ]
