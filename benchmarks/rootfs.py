"""A root file system from packages that are already fetched: Holdfast's bootstrap beside mmdebstrap and mkosi."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks import peers, scratch
from benchmarks.measure import ROOT, Row, after, alternate, command
from holdfast.base.errors import HoldfastError
from holdfast.distro.debian.bootstrap import make_tree, package_cache, unpack_all
from holdfast.distro.family import family
from holdfast.distro.lockfile import Lock, PackageSet, read_lock, write_lock
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import open_store

REQUEST = Packages(install=("curl", "nginx", "openssh-server", "python3", "sudo"))
DISTRIBUTION = Distribution("debian", "trixie", "amd64")
GOALS = {"cold": 0.65, "cached": 0.45}
BOUNDS = {
    "cold": "decompression on all processors, then one serial dpkg --configure",
    "cached": "one serial dpkg --configure",
}


def rows() -> Iterable[Row]:
    """Cold: nothing but package files. Cached: every package was unpacked before, as in all but a project's first build."""
    if shutil.which("mmdebstrap") is None:
        raise HoldfastError(
            "mmdebstrap is not installed", resolution="Run scripts/install-system-packages --peers."
        )
    place = scratch.place() / "rootfs"
    place.mkdir()
    store = scratch.store()
    locked = family(DISTRIBUTION).resolve(store, DISTRIBUTION, REQUEST)
    write_lock(place / "lock", Lock().with_set(locked))
    peers.make_repository(locked, place / "repository")
    trees = {"ours": place / "ours", "mmdebstrap": place / "peer", "mkosi": place / "mkosi/out/image"}
    ours = command([sys.executable, "-m", "benchmarks.rootfs", str(place), str(store.root)], cwd=ROOT)
    with peers.mkosi(locked, place / "repository", place / "mkosi") as mkosi:
        cold, cached, *others = alternate(
            after(_cold(place), ours),
            after(_cached(place, locked), ours),
            after(
                _remover(trees["mmdebstrap"]), peers.mmdebstrap(locked, place / "repository", place / "peer")
            ),
            after(_remover(trees["mkosi"]), mkosi),
        )
    peers.expect_same_packages(trees.values())
    for how, made in {"cold": cold, "cached": cached}.items():
        for peer, other in zip(("mmdebstrap", "mkosi"), others, strict=True):
            work = f"rootfs tree, {len(locked.packages)} fetched packages, {how}"
            met = made.seconds <= GOALS[how] * other.seconds
            yield Row(work, made, f"<= {GOALS[how]}x", met, BOUNDS[how], peer, other)


def _remover(tree: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(tree, ignore_errors=True)


def _cold(place: Path) -> Callable[[], None]:
    def prepare() -> None:
        _forget(place)
        shutil.rmtree(package_cache(scratch.store()))

    return prepare


def _cached(place: Path, locked: PackageSet) -> Callable[[], None]:
    def prepare() -> None:
        _forget(place)
        unpack_all(scratch.store(), locked.packages)

    return prepare


def _forget(place: Path) -> None:
    for name in ("ours", "ours.configure"):
        shutil.rmtree(place / name, ignore_errors=True)


def _make_one(place: Path, store: Path) -> None:
    """What is measured as ours, in a process of its own."""
    (locked,) = read_lock(place / "lock").sets.values()
    tree = place / "ours"
    tree.mkdir()
    make_tree(open_store(store), locked, tree)


if __name__ == "__main__":
    _make_one(Path(sys.argv[1]), Path(sys.argv[2]))
