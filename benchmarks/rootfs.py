"""A root file system from packages that are already fetched: Holdfast's bootstrap beside mmdebstrap, on the same packages."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import Row, alternate, command
from holdfast.base.errors import HoldfastError
from holdfast.distro.debian.bootstrap import make_tree, unpack_all
from holdfast.distro.family import family
from holdfast.distro.lockfile import Lock, PackageSet, read_lock, write_lock
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import Store, open_store

REQUEST = Packages(install=("curl", "nginx", "openssh-server", "python3", "sudo"))
DISTRIBUTION = Distribution("debian", "trixie", "amd64")


def rows() -> Iterable[Row]:
    """Cold: nothing but package files. Cached: every package was unpacked before, as in all but a project's first build."""
    if shutil.which("mmdebstrap") is None:
        raise HoldfastError(
            "mmdebstrap is not installed", resolution="Run scripts/install-system-packages --peers."
        )
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-", dir="/var/tmp") as name:
        place = Path(name)
        store = open_store(place / "store")
        locked = family(DISTRIBUTION).resolve(store, DISTRIBUTION, REQUEST)
        write_lock(place / "lock", Lock().with_set(locked))
        _make_repository(store, locked, place / "repository")
        what = f"rootfs tree, {len(locked.packages)} fetched packages"
        yield _compare(place, store, locked, f"{what}, cold", 0.65, cached=False)
        yield _compare(place, store, locked, f"{what}, cached", 0.45, cached=True)


def _compare(place: Path, store: Store, locked: PackageSet, work: str, goal: float, *, cached: bool) -> Row:
    names = ",".join(package.name for package in locked.packages)
    ours = command([sys.executable, "-m", "benchmarks.rootfs", str(place)], cwd=Path(__file__).parents[1])
    peer = command(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=custom",
            "--format=directory",
            f"--include={names}",
            DISTRIBUTION.release,
            str(place / "peer"),
            f"deb [trusted=yes] copy:{place / 'repository'} ./",
        ],
        env={"SOURCE_DATE_EPOCH": str(locked.epoch)},
    )

    def clean() -> None:
        for name in ("store/tree", "store/tree.configure", "peer"):
            shutil.rmtree(place / name, ignore_errors=True)
        if cached:
            unpack_all(store, locked.packages)
        else:
            shutil.rmtree(store.root / "packages", ignore_errors=True)

    made, other = alternate(ours, peer, before_each=clean)
    return Row(
        work,
        made,
        f"<= {goal}x",
        made.seconds <= goal * other.seconds,
        "one serial dpkg --configure"
        if cached
        else "decompression on two cores, then one serial dpkg --configure",
        "mmdebstrap",
        other,
    )


def _make_repository(store: Store, locked: PackageSet, repository: Path) -> None:
    """The same package files as an apt repository, so that the peer needs no network either."""
    repository.mkdir()
    stanzas: list[str] = []
    for unpacked, package in zip(
        unpack_all(store, locked.packages),
        sorted(locked.packages, key=lambda package: (package.name != "base-files", package.name)),
        strict=True,
    ):
        name = f"{package.name}_{package.architecture}.deb"
        (repository / name).hardlink_to(store.blobs.path(package.sha256))
        stanzas.append(
            f"{unpacked.control_text.strip()}\nFilename: ./{name}\nSize: {package.size}\nSHA256: {package.sha256[7:]}\n"
        )
    (repository / "Packages").write_text("\n".join(stanzas), errors="surrogateescape")


def _make_one(place: Path) -> None:
    """What is measured as ours, in a process of its own."""
    store = open_store(place / "store")
    (locked,) = read_lock(place / "lock").sets.values()
    tree = store.root / "tree"
    tree.mkdir()
    make_tree(store, locked, tree)


if __name__ == "__main__":
    _make_one(Path(sys.argv[1]))
