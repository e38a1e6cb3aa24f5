"""What a lock names outlives garbage collection, and goes with the lock."""

from __future__ import annotations

from pathlib import Path

from holdfast.base.digests import Digest, digest_bytes
from holdfast.distro.lockfile import Lock, LockedPackage, LockedSource, PackageSet
from holdfast.manifest.model import Distribution, Packages
from holdfast.project.keeping import keep_locked
from holdfast.store import Store, open_store


def a_set(store: Store, *names: str, missing: str = "") -> PackageSet:
    def blob(text: str) -> Digest:
        return digest_bytes(text.encode()) if text == missing else store.blobs.put_bytes(text.encode())

    source = LockedSource("debian", "trixie", 0, blob("release"), {"main": blob("index")})
    packages = tuple(
        LockedPackage(name, "1", "amd64", "debian", f"pool/{name}.deb", len(name), blob(name))
        for name in names
    )
    request = Packages(install=names)
    return PackageSet(Distribution("debian", "trixie", "amd64"), request, (source,), packages, "apt 3")


def kept(store: Store) -> set[bytes]:
    store.gc()
    return {store.blobs.read(digest) for digest in store.blobs.list() if store.blobs.size(digest) < 10}


def test_packages_stay_as_long_as_the_lock_names_them(tmp_path: Path) -> None:
    store, path = open_store(tmp_path / "store"), tmp_path / "web" / "holdfast.lock"
    first = Lock().with_set(a_set(store, "bash", "nginx", missing="bash"))
    store.blobs.put_bytes(b"stranger")
    keep_locked(store, path, first)
    assert kept(store) == {b"release", b"index", b"nginx"}

    # The same lock again changes nothing; another project's lock is left alone.
    before = store.refs.list()
    keep_locked(store, path, first)
    assert store.refs.list() == before
    keep_locked(store, tmp_path / "other" / "web" / "holdfast.lock", Lock().with_set(a_set(store, "vim")))
    keep_locked(store, path, Lock().with_set(a_set(store, "bash")))
    assert kept(store) == {b"release", b"index", b"bash", b"vim"}
    keep_locked(store, path, Lock())
    assert kept(store) == {b"release", b"index", b"vim"}
