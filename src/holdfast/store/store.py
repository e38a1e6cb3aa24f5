"""The store as one object: open it, put things in, find them again."""

from __future__ import annotations

import os
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.base.digests import Digest, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.store import artifacts
from holdfast.store.artifacts import Artifact, ImageConfig, Layer
from holdfast.store.blobs import Blobs
from holdfast.store.layers import Layers
from holdfast.store.layout import Layout
from holdfast.store.leases import Lease, Session
from holdfast.store.refs import Cache, Refs
from holdfast.store.trees import Trees

if TYPE_CHECKING:
    from holdfast.store.collect import GcReport
    from holdfast.store.verify import VerifyReport

CACHE_DAYS = 14
"""How long an unused entry of the build cache is kept that nothing else needs."""


def store_path() -> Path:
    """``HOLDFAST_STORE``; else ``/var/lib/holdfast`` for root; else ``$XDG_DATA_HOME/holdfast`` (XDG base directories)."""
    chosen = os.environ.get("HOLDFAST_STORE")
    if chosen:
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/holdfast")
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local/share") / "holdfast"


def open_store(path: Path | None = None) -> Store:
    """Open the store at ``path`` (default: :func:`store_path`), making it if it is not there.

    Raises:
        HoldfastError: it belongs to somebody else, is something else, or cannot be made.
    """
    return Store(path.absolute() if path is not None else store_path())


class Store:
    """One store. Safe to use from several threads, and beside other processes.

    Whatever was put or found through it is safe from garbage collection while this process lives (or until :meth:`close`).
    """

    def __init__(self, root: Path) -> None:
        self._layout = Layout(root)
        self._layout.prepare()
        self._session = Session(self._layout)
        self.root = root
        self.blobs = Blobs(self._layout, self._session)
        self.refs = Refs(self._layout, self.blobs)
        self.cache = Cache(self._layout, self._session, self.refs, self.blobs)
        self.layers = Layers(self._layout, self._session, self.blobs)
        self.trees = Trees(self._layout, self._session, self.blobs, self.layers)

    def close(self) -> None:
        """Give up what this process holds in the store. The store can be used on."""
        self._session.release()

    def put_image(
        self, config: ImageConfig, layers: Sequence[Layer], *, annotations: Mapping[str, str] | None = None
    ) -> Artifact:
        """Store a container image of ``layers`` (from the bottom up).

        Raises:
            HoldfastError: a layer is not in the store, or the store cannot be written.
        """
        data = artifacts.write_image_config(config, layers)
        return self._put(None, data, artifacts.IMAGE_CONFIG, layers, annotations or {})

    def put_artifact(
        self,
        artifact_type: str,
        config: bytes,
        config_media_type: str,
        layers: Sequence[Layer] = (),
    ) -> Artifact:
        """Store an OCI artifact. Its identity is the digest of ``config``, which should therefore name all that matters.

        Raises:
            HoldfastError: a layer is not in the store, or the store cannot be written.
        """
        return self._put(artifact_type, config, config_media_type, layers, {})

    def artifact(self, manifest: Digest) -> Artifact:
        """Read the artifact whose manifest blob is ``manifest``.

        Raises:
            HoldfastError: it is not in the store, damaged, or no OCI manifest.
        """
        artifact = artifacts.read_manifest(self.blobs.read(manifest), manifest)
        if artifact.config_media_type == artifacts.IMAGE_CONFIG:
            named = artifacts.read_diff_ids(self.blobs.read(artifact.identity), artifact.identity)
            if named != tuple(layer.diff_id for layer in artifact.layers):
                raise HoldfastError(
                    f"the manifest {manifest} lists other layers than its image configuration",
                    resolution="Layers in the store are uncompressed: import the image again.",
                )
        return artifact

    def resolve(self, name: str) -> Digest:
        """The manifest's digest for a ref's name or a digest in text.

        Raises:
            HoldfastError: there is no such ref.
        """
        if name.startswith("sha256:"):
            return parse_digest(name)
        digest = self.refs.get(name)
        if digest is None:
            raise HoldfastError(
                f"there is no ref {name} in the store {self.root}",
                resolution="`holdfast store ls` lists the refs.",
            )
        return digest

    @contextmanager
    def lease(self, purpose: str, digests: Collection[Digest] = ()) -> Generator[Lease]:
        """Keep ``digests`` (manifests with all they name, blobs, layers with their trees) during the body.

        The process's death ends it too. ``purpose`` is shown to people: ``machine web``.

        Raises:
            HoldfastError: the store cannot be written.
        """
        lease = Lease(self._layout, purpose)
        try:
            with self._layout.adding():
                lease.add(digests)
            yield lease
        finally:
            lease.release()

    @contextmanager
    def scratch(self, name: str = "scratch") -> Generator[Path]:
        """A directory (mode 0700) on the store's file system, removed after the body or the process's death.

        A tree made below it can be handed to ``trees.adopt``.

        Raises:
            HoldfastError: the store cannot be written.
        """
        with self._layout.staged_directory(name) as directory:
            yield directory

    def gc(self, dry_run: bool = False, *, cache_days: int = CACHE_DAYS, all_cache: bool = False) -> GcReport:
        """Remove what no ref, no lease and no cache entry in use needs. See :mod:`holdfast.store.collect`.

        ``cache_days``: entries of the build cache go when they were not used for so long; ``all_cache``: all of them go.

        Raises:
            HoldfastError: a ref or a manifest is damaged, so that what is needed is not known; nothing is removed then.
        """
        from holdfast.store.collect import collect

        return collect(
            self._layout,
            self.refs,
            self.blobs,
            dry_run=dry_run,
            cache_seconds=None if all_cache else cache_days * 86400,
            own_lease=self._session.path,
        )

    def verify(self) -> VerifyReport:
        """Read everything and compare it with its digest. See :mod:`holdfast.store.verify`.

        Raises:
            HoldfastError: the store cannot be read.
        """
        from holdfast.store.verify import verify

        return verify(self._layout, self.refs, self.blobs, self.trees)

    def export(
        self, ref_or_digest: str, destination: Path, *, tag: str = "latest", gzip: bool = False
    ) -> Digest:
        """Write an OCI layout directory that holds this one artifact; returns the manifest's digest there.

        ``gzip`` compresses the layers: the manifest's digest then differs, the identity stays.

        Raises:
            HoldfastError: there is no such artifact, ``destination`` exists and is not empty, or it cannot be written.
        """
        from holdfast.store.export import export

        return export(self.blobs, self.artifact(self.resolve(ref_or_digest)), destination, tag=tag, gzip=gzip)

    def _put(
        self,
        artifact_type: str | None,
        config: bytes,
        media_type: str,
        layers: Sequence[Layer],
        annotations: Mapping[str, str],
    ) -> Artifact:
        for layer in layers:
            if self.blobs.size(layer.diff_id) != layer.size:
                raise HoldfastError(f"the layer {layer.diff_id} has not {layer.size} bytes")
        if not layers:
            self.blobs.put_bytes(artifacts.EMPTY_BYTES)
        manifest = artifacts.write_manifest(
            config=artifacts.descriptor(media_type, self.blobs.put_bytes(config), len(config)),
            layers=artifacts.layer_descriptors(layers),
            artifact_type=artifact_type,
            annotations=annotations,
        )
        return self.artifact(self.blobs.put_bytes(manifest))
