"""The Debian family: what :class:`holdfast.distro.family.Family` asks, in order of use."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from holdfast.base.codec import canonical_json
from holdfast.base.debian_versions import older
from holdfast.base.digests import digest_bytes, hex_of
from holdfast.base.errors import HoldfastError
from holdfast.base.events import stage
from holdfast.distro.debian import ids
from holdfast.distro.debian.bootstrap import make_tree, package_cache
from holdfast.distro.debian.database import read_status
from holdfast.distro.debian.indexes import fetch_indexes, read_release
from holdfast.distro.debian.mirrors import choose_mirror, machine_proxies
from holdfast.distro.debian.releases import ARCHIVES, RELEASES, default_sources, find_release
from holdfast.distro.debian.solve import Apt, Index, solve
from holdfast.distro.download import Place, Wanted, fetch_all
from holdfast.distro.family import Bootstrapped, Update
from holdfast.distro.lockfile import Ids, LockedPackage, LockedSource, PackageSet, normalise
from holdfast.manifest.model import Distribution, Packages, Source
from holdfast.store import Store

SNAPSHOT = "https://snapshot.debian.org/archive"
"""Keeps every package that ever was in the archive, by archive and time; HOLDFAST_SNAPSHOT names another."""


_ARTIFACT = "application/vnd.holdfast.packages.v1"
_VERSION = 3
"""Of what this code makes out of a package set: counts up when the result changes."""


class DebianFamily:
    """See :class:`holdfast.distro.family.Family`."""

    def __init__(self, apt: Apt | None = None) -> None:
        """``apt`` chooses packages: by default the machine's, or the tools tree's where the machine has none."""
        self._apt = apt

    def releases(self) -> tuple[str, ...]:
        return tuple(RELEASES)

    def resolve(
        self,
        store: Store,
        distribution: Distribution,
        packages: Packages,
        previous: PackageSet | None = None,
        *,
        update: Update = "nothing",
    ) -> PackageSet:
        release = find_release(distribution.release)
        request = normalise(packages)
        apt = self._apt or _find_apt(store)
        resolver = apt.version()
        sources = sources_of(distribution, request)
        locked, pinned = self._indexes(store, distribution, sources, previous, update)
        indexes = [
            Index(locked_source, component, digest, read_release(store, locked_source, key=source.key))
            for source, locked_source in zip(sources, locked, strict=True)
            for component, digest in locked_source.indexes.items()
        ]
        chosen = solve(
            store,
            apt,
            indexes,
            architecture=distribution.architecture,
            base=(*release.base, release.keyring),
            request=request,
            pinned=pinned,
        )
        known = previous.ids if previous is not None else Ids()
        package_set = PackageSet(distribution, request, locked, chosen, resolver, known)
        return self._learn_ids(store, package_set)

    def fetch(self, store: Store, package_set: PackageSet) -> None:
        if all(store.blobs.has(package.sha256) for package in package_set.packages):
            return
        places = _Places(package_set)
        wanted = [
            Wanted(
                f"the package {package.name} {package.version}",
                package.size,
                package.sha256,
                places.of(package),
            )
            for package in package_set.packages
        ]
        fetch_all(store, wanted, title="Fetching packages", proxies=machine_proxies())

    def bootstrap(self, store: Store, package_set: PackageSet) -> Bootstrapped:
        known = store.cache.get(_cache_key(package_set))
        if known is not None:
            (layer,) = store.artifact(known).layers
            return Bootstrapped(store.trees.ensure(layer.diff_id), layer, package_set.epoch)
        self.fetch(store, package_set)
        with store.scratch("bootstrap") as scratch:
            tree = scratch / "tree"
            tree.mkdir()
            found = make_tree(store, package_set, tree)
            ids.settle(tree, found, package_set.ids)
            return self._keep(store, package_set, tree)

    def installed(self, root: Path) -> Mapping[str, str]:
        return {
            paragraph["package"]: paragraph["version"]
            for paragraph in read_status(root)
            if paragraph.get("status", "").endswith(" ok installed")
        }

    def older(self, left: str, right: str) -> bool:
        return older(left, right)

    def _indexes(
        self,
        store: Store,
        distribution: Distribution,
        sources: tuple[Source, ...],
        previous: PackageSet | None,
        update: Update,
    ) -> tuple[tuple[LockedSource, ...], Mapping[str, str]]:
        """The sources' indexes, and versions to keep.

        Without an update the previous indexes serve, so that time stands still; when the store has them no more, the new ones
        do, with the previous versions pinned.
        """
        if previous is None or update == "everything":
            return fetch_indexes(store, distribution, sources), {}
        kept = {(source.archive, source.suite): source for source in previous.sources}
        fresh = [
            source
            for source in sources
            if (update == "security" and source.archive.endswith("-security"))
            or not _usable(store, kept.get((source.archive, source.suite)), source)
        ]
        new = dict(zip(fresh, fetch_indexes(store, distribution, tuple(fresh)), strict=True)) if fresh else {}
        locked = tuple(new.get(source) or kept[(source.archive, source.suite)] for source in sources)
        pinned = {package.name: package.version for package in previous.packages}
        if update == "security":
            pinned = {name: version for name, version in pinned.items() if name in previous.request.hold}
        return locked, pinned if fresh else {}

    def _learn_ids(self, store: Store, package_set: PackageSet) -> PackageSet:
        """The set with the ids that its packages' scripts give out, which are found by running them.

        The tree in which they ran becomes the bootstrap of the set, so that a build after this has nothing to repeat.
        """
        names = canonical_json([package.sha256 for package in package_set.packages])
        remembered = package_cache(store) / f"ids-{hex_of(digest_bytes(names))}.json"
        found = ids.recall(remembered)
        if found is not None:
            return replace(package_set, ids=ids.extend(package_set.ids, found))
        self.fetch(store, package_set)
        with stage("Learning system accounts"), store.scratch("bootstrap") as scratch:
            tree = scratch / "tree"
            tree.mkdir()
            found = make_tree(store, package_set, tree)
            finished = replace(package_set, ids=ids.extend(package_set.ids, found))
            ids.settle(tree, found, finished.ids)
            self._keep(store, finished, tree)
        ids.remember(remembered, found)
        return finished

    def _keep(self, store: Store, package_set: PackageSet, tree: Path) -> Bootstrapped:
        """Pack a finished tree, and note that it is what the set makes."""
        layer = store.layers.from_tree(tree, clamp_mtime=package_set.epoch)
        place = store.trees.adopt(layer.diff_id, tree)
        config = canonical_json({"layer": layer.diff_id, "packages": package_set.digest})
        artifact = store.put_artifact(_ARTIFACT, config, f"{_ARTIFACT}+json", [layer])
        store.cache.put(_cache_key(package_set), artifact.manifest)
        return Bootstrapped(place, layer, package_set.epoch)


def _find_apt(store: Store) -> Apt:
    if shutil.which("apt-get") is None and store.refs.get("tools/tools") is not None:
        from holdfast.distro.tools import tools_tree  # which itself asks this family

        return Apt(tools_tree(store))
    return Apt()


def _cache_key(package_set: PackageSet) -> str:
    return f"bootstrap-{_VERSION}-{hex_of(package_set.digest)}"


def sources_of(distribution: Distribution, request: Packages) -> tuple[Source, ...]:
    """The definition's sources, else those of the release's row; then the request's further repositories, by name."""
    own = distribution.sources or default_sources(
        find_release(distribution.release), distribution.architecture
    )
    return (*own, *(request.repositories[name] for name in sorted(request.repositories)))


def _usable(store: Store, kept: LockedSource | None, source: Source) -> bool:
    if kept is None or not (set(source.components) <= set(kept.indexes) or source.suite.endswith("/")):
        return False
    return all(store.blobs.has(digest) for digest in (kept.release, *kept.indexes.values()))


class _Places:
    """Where the packages of a set may be had: its mirror, then the snapshot archive."""

    def __init__(self, package_set: PackageSet) -> None:
        self._dates = sorted({source.date for source in package_set.sources}, reverse=True)
        self._mirrors = {
            source.archive: choose_mirror(source, package_set.distribution)
            for source in reversed(sources_of(package_set.distribution, package_set.request))
        }
        self._epochs = {
            archive: max(source.date for source in package_set.sources if source.archive == archive)
            for archive in {source.archive for source in package_set.sources}
        }

    def of(self, package: LockedPackage) -> tuple[Place, ...]:
        mirror = self._mirrors.get(package.archive)
        if mirror is None:
            raise HoldfastError(
                f"the lock has the package {package.name} from the archive {package.archive!r}, which no source names",
                resolution="Run `holdfast lock`.",
            )
        path = quote(package.path, safe="/~+:")
        places = [Place(f"{mirror.url}/{path}", mirror.origin)]
        archive = ARCHIVES.get(package.archive)
        if archive is not None and archive.snapshot is not None:
            base = os.environ.get("HOLDFAST_SNAPSHOT", SNAPSHOT).rstrip("/")
            for moment in snapshot_moments(self._epochs[package.archive]):
                places.append(Place(f"{base}/{archive.snapshot}/{moment}/{path}", "the snapshot archive"))
        return tuple(places)


def snapshot_moments(date: int) -> tuple[str, ...]:
    """Timestamps to ask the snapshot service for: it serves the newest state at or before one, and takes several a day.

    An index appears there some hours after its date, and packages stay at least a day after they left the index.
    """
    return tuple(time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(date + hours * 3600)) for hours in (12, 0))


def make_family() -> DebianFamily:
    """For :func:`holdfast.distro.family.family`."""
    return DebianFamily()
