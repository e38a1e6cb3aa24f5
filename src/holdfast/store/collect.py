"""Garbage collection: what nothing needs goes. Mark and sweep under the exclusive store lock.

Kept is what is reachable from

- every ref but the cache's;
- the leases of living processes: builds under way, running machines, everybody who has the store open and used something;
- cache entries used within the last days, and those whose layers are all kept anyhow, since they cost nothing.

A layer's table and tree live as long as its blob is kept.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import stage
from holdfast.base.records import dataclass
from holdfast.store.artifacts import blobs_of, read_manifest
from holdfast.store.blobs import Blobs
from holdfast.store.layout import Layout, is_unlocked, remove_tree
from holdfast.store.leases import living_leases
from holdfast.store.refs import CACHE_PREFIX, Refs

_LARGEST_MANIFEST = 4 << 20

Kind = Literal["blob", "table", "tree", "cache entry", "leftover"]


@dataclass(frozen=True)
class Removed:
    """One thing that was removed, or would be."""

    kind: Kind
    name: str
    """A digest in hexadecimal, a cache key, or a file name."""
    size: int
    """Bytes; 0 where it is not worth knowing."""


@dataclass(frozen=True)
class GcReport:
    """What a garbage collection did, or with ``dry_run`` would have done."""

    dry_run: bool
    removed: tuple[Removed, ...]
    kept_blobs: int
    kept_bytes: int

    @property
    def freed_bytes(self) -> int:
        return sum(item.size for item in self.removed)


def collect(
    layout: Layout,
    refs: Refs,
    blobs: Blobs,
    *,
    dry_run: bool,
    cache_seconds: float | None,
    own_lease: Path | None,
) -> GcReport:
    """See :meth:`holdfast.store.store.Store.gc`.

    ``cache_seconds``: how long an unused cache entry is kept; None forgets every entry. ``own_lease`` does not count: who
    calls this has finished its work.

    Raises:
        HoldfastError: what is needed is not known (a damaged ref or manifest), or the store cannot be written.
    """
    with stage("Collecting garbage") as progress:
        collection = _Collection(layout, refs, blobs, cache_seconds)
        with layout.collecting(), explain_os_errors(f"collect garbage in {layout.root}"):
            collection.mark(own_lease)
            doomed = collection.sweep(dry_run=dry_run)
        for path in doomed:  # without the lock: a large tree takes its time
            remove_tree(path)
        if not dry_run:
            refs.write_index()  # a writer may have died between a ref and the index
        report = collection.report(dry_run)
        progress.note = f"{len(report.removed)} removed, {report.freed_bytes / 1e6:.1f} MB"
    return report


class _Collection:
    def __init__(self, layout: Layout, refs: Refs, blobs: Blobs, cache_seconds: float | None) -> None:
        self._layout = layout
        self._refs = refs
        self._blobs = blobs
        self._keep_cache = cache_seconds is not None
        self._oldest_use = time.time() - (cache_seconds or 0)
        self._kept: set[Digest] = set()
        self._dead_leases: list[Path] = []
        self._cache: list[str] = []
        self._removed: list[Removed] = []
        self._doomed: list[Path] = []

    def mark(self, own_lease: Path | None) -> None:
        """Find all that is needed."""
        for name, digest in self._refs.list().items():
            self._keep_manifest(digest, f"ref {name}")
        living, self._dead_leases = living_leases(self._layout, except_for=own_lease)
        for held in living:
            for digest in held.digests:
                self._keep_any(digest)
        self._mark_cache()

    def _mark_cache(self) -> None:
        unused: dict[str, Digest] = {}
        for name in self._refs.names():
            if not name.startswith(CACHE_PREFIX):
                continue
            try:
                digest = self._refs.get(name)
                used = self._refs.path(name).stat().st_mtime
                if digest is None or not all(map(self._blobs.has, self._needs(digest))):
                    raise HoldfastError("a cache entry without its blobs")
            except HoldfastError:  # an entry that cannot be used goes
                self._cache.append(name)
                continue
            if self._keep_cache and used > self._oldest_use:
                self._kept |= self._needs(digest)
            else:
                unused[name] = digest
        for name, digest in unused.items():
            layers = {layer.diff_id for layer in read_manifest(self._blobs.read(digest), digest).layers}
            if self._keep_cache and layers and layers <= self._kept:
                self._kept |= self._needs(digest)
            else:
                self._cache.append(name)

    def _needs(self, manifest: Digest) -> frozenset[Digest]:
        return blobs_of(self._blobs.read(manifest), manifest)

    def _keep_manifest(self, digest: Digest, who: str) -> None:
        try:
            self._kept |= self._needs(digest)
        except HoldfastError as error:
            raise HoldfastError(
                f"cannot tell what is needed: {who} names {digest}, which cannot be read",
                details=error.brief,
                resolution="Nothing was removed. Run `holdfast store verify`, then build it again or delete the ref.",
            ) from None

    def _keep_any(self, digest: Digest) -> None:
        """A lease may name a manifest, any other blob, or a layer."""
        self._kept.add(digest)
        try:
            if self._blobs.size(digest) > _LARGEST_MANIFEST:
                return
            with self._blobs.open(digest) as stream:
                if stream.read(1) != b"{":
                    return
            data = self._blobs.read(digest)
        except HoldfastError:
            return  # held, and not there: a build that has still to make it
        with suppress(HoldfastError):
            self._kept |= blobs_of(data, digest)

    def sweep(self, *, dry_run: bool) -> list[Path]:
        """Remove what can be removed at once; returns the directories, moved out of sight, that take longer."""
        self._sweep_leftovers(dry_run)
        for name in self._cache:
            self._drop("cache entry", name[len(CACHE_PREFIX) :], self._refs.path(name), dry_run)
        keep = {digest[7:] for digest in self._kept}
        # Trees before their blobs: a crash in between leaves a layer without tree, which is whole.
        for path in sorted(self._layout.trees.iterdir()):
            if path.name not in keep:
                self._drop_tree(path, dry_run)
        places: tuple[tuple[Kind, Path], ...] = (("table", self._layout.tables), ("blob", self._layout.blobs))
        for kind, directory in places:
            for path in sorted(directory.iterdir()):
                if path.name not in keep:
                    self._drop(kind, path.name, path, dry_run)
        return self._doomed

    def _sweep_leftovers(self, dry_run: bool) -> None:
        for path in self._layout.abandoned():
            if path.is_dir() and not path.is_symlink():
                self._note("leftover", path.name, 0)
                if not dry_run:
                    self._doomed.append(path)
            else:
                self._drop("leftover", path.name, path, dry_run)
        for path in self._dead_leases:
            self._drop("leftover", path.name, path, dry_run)
        for directory, _, files in os.walk(self._layout.refs):
            for name in files:
                if name.startswith("."):
                    self._drop("leftover", name, Path(directory, name), dry_run)
        for path in sorted(self._layout.locks.glob("tree-*")):
            if not self._layout.trees.joinpath(path.name[5:]).exists() and is_unlocked(path):
                self._drop("leftover", path.name, path, dry_run)

    def _drop_tree(self, path: Path, dry_run: bool) -> None:
        self._note("tree", path.name, _tree_size(path))
        if not dry_run:
            grave = self._layout.tmp / f"removed-{path.name}-{os.getpid()}"
            path.rename(grave)
            self._doomed.append(grave)

    def _drop(self, kind: Kind, name: str, path: Path, dry_run: bool) -> None:
        try:
            size = path.lstat().st_size
            if not dry_run:
                path.unlink()
        except FileNotFoundError:
            return
        self._note(kind, name, size)

    def _note(self, kind: Kind, name: str, size: int) -> None:
        self._removed.append(Removed(kind, name, size))

    def report(self, dry_run: bool) -> GcReport:
        present = [digest for digest in self._kept if self._blobs.has(digest)]
        return GcReport(
            dry_run, tuple(self._removed), len(present), sum(self._blobs.size(digest) for digest in present)
        )


def _tree_size(path: Path) -> int:
    total = 0
    for directory, _, files in os.walk(path):
        for name in files:
            total += Path(directory, name).lstat().st_size
    return total
