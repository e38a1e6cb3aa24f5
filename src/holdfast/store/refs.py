"""Refs: names for manifests, one file each. What a ref names is kept, with all that its manifest names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from holdfast.base.atomic import atomic_file, sync_directory, write_atomically
from holdfast.base.codec import JSON, canonical_json
from holdfast.base.digests import Digest, parse_digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.locks import file_lock
from holdfast.store.artifacts import IMAGE_INDEX, IMAGE_MANIFEST, blobs_of, descriptor
from holdfast.store.blobs import Blobs
from holdfast.store.layout import Layout
from holdfast.store.leases import Session

CACHE_PREFIX = "cache/"
REF_NAME_ANNOTATION = "org.opencontainers.image.ref.name"

_COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+@:=~-]{0,199}")
_INDEX_WAIT_SECONDS = 60.0


class Refs:
    """The refs of one store. Names are slash-separated; ``cache/`` belongs to the build cache."""

    def __init__(self, layout: Layout, blobs: Blobs) -> None:
        self._layout = layout
        self._blobs = blobs

    def path(self, name: str) -> Path:
        """The ref's file.

        Raises:
            HoldfastError: ``name`` is no ref name.
        """
        parts = name.split("/")
        if not all(_COMPONENT.fullmatch(part) for part in parts):
            raise HoldfastError(
                f"{name!r} is not a ref name",
                resolution="Use words of letters, digits and . _ + @ : = ~ - (not first), joined by slashes.",
            )
        return self._layout.refs.joinpath(*parts)

    def set(self, name: str, digest: Digest) -> None:
        """Let ``name`` stand for the manifest ``digest``, in one durable step.

        Raises:
            HoldfastError: the manifest or a blob it needs is not in the store, or the store cannot be written.
        """
        path = self.path(name)
        with self._layout.adding():
            for needed in blobs_of(self._blobs.read(digest), digest):
                self._blobs.size(needed)
            with explain_os_errors(f"write the ref {name} in the store {self._layout.root}"):
                self._replace(path, f"{digest}\n".encode(), durable=not name.startswith(CACHE_PREFIX))
        if not name.startswith(CACHE_PREFIX):
            self.write_index()

    def get(self, name: str) -> Digest | None:
        """The manifest's digest, or None if there is no such ref.

        Raises:
            HoldfastError: the ref's file is damaged.
        """
        path = self.path(name)
        try:
            with explain_os_errors(f"read the ref {name} in the store {self._layout.root}"):
                return _parse(path.read_bytes(), name, path)
        except HoldfastError as error:
            if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError, IsADirectoryError)):
                return None
            raise

    def delete(self, name: str) -> None:
        """Forget the name; what it stood for goes with the next garbage collection.

        Raises:
            HoldfastError: there is no such ref, or the store cannot be written.
        """
        path = self.path(name)
        with explain_os_errors(f"delete the ref {name} in the store {self._layout.root}"):
            if not path.is_file():
                raise HoldfastError(f"there is no ref {name}", resolution="`holdfast store ls` lists them.")
            path.unlink()
            with suppress(OSError):  # a directory with other refs in it stays
                for parent in path.relative_to(self._layout.refs).parents[:-1]:
                    (self._layout.refs / parent).rmdir()
        if not name.startswith(CACHE_PREFIX):
            self.write_index()

    def list(self) -> Mapping[str, Digest]:
        """Every ref but the cache's, in the order of the names.

        Raises:
            HoldfastError: a ref's file is damaged.
        """
        found: dict[str, Digest] = {}
        for name in self.names():
            digest = None if name.startswith(CACHE_PREFIX) else self.get(name)
            if digest is not None:
                found[name] = digest
        return found

    def names(self) -> tuple[str, ...]:
        """Every ref's name, the cache's included, damaged or not."""
        names: set[str] = set()
        with explain_os_errors(f"read the refs of the store {self._layout.root}"):
            for directory, _, files in os.walk(self._layout.refs):
                relative = Path(directory).relative_to(self._layout.refs)
                names.update((relative / file).as_posix() for file in files if not file.startswith("."))
        return tuple(sorted(names))

    def write_index(self) -> None:
        """Derive ``index.json`` from the refs, so that OCI tools find them in the store itself."""
        lock = self._layout.locks / "index"
        with (
            explain_os_errors(f"write the index of the store {self._layout.root}"),
            file_lock(lock, wait_seconds=_INDEX_WAIT_SECONDS, purpose="the store's index"),
        ):
            write_atomically(self._layout.root / "index.json", self.index(), durable=False)

    def index(self) -> bytes:
        """What ``index.json`` should hold."""
        manifests: list[JSON] = []
        for name, digest in self.list().items():
            with suppress(HoldfastError):  # a dangling ref is for verify to tell
                entry = descriptor(IMAGE_MANIFEST, digest, self._blobs.size(digest))
                manifests.append({**entry, "annotations": {REF_NAME_ANNOTATION: name}})
        return canonical_json({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": manifests})

    def _replace(self, path: Path, data: bytes, *, durable: bool) -> None:
        if durable:  # a blob may be another process's, which died between its rename and the sync
            sync_directory(self._layout.blobs)
        while True:
            made = [parent for parent in path.parents if not parent.is_dir()]
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with atomic_file(path, durable=durable) as stream:
                    stream.write(data)
                for directory in made if durable else ():
                    sync_directory(directory.parent)
                return
            except FileNotFoundError:  # delete() took the emptied directory away in between
                continue


def _parse(data: bytes, name: str, path: Path) -> Digest:
    text = data.decode(errors="replace")
    try:
        if not text.startswith("sha256:") or text[-1:] != "\n":
            raise HoldfastError(f"it holds {text[:80]!r}")
        return parse_digest(text[:-1])
    except HoldfastError as error:
        raise HoldfastError(
            f"the ref {name} is damaged: {error.brief}",
            details=f"Its file is {path}.",
            resolution="Delete the ref (`holdfast store rm`) and build or fetch again what it stood for.",
        ) from None


class Cache:
    """The build cache: keys that stand for manifests. An entry's file time is when it was last used."""

    def __init__(self, layout: Layout, session: Session, refs: Refs, blobs: Blobs) -> None:
        self._layout = layout
        self._session = session
        self._refs = refs
        self._blobs = blobs

    def get(self, key: str) -> Digest | None:
        """The manifest's digest if the entry and every blob it needs are there; counts as a use.

        What was found stays in the store while this process lives.
        """
        name = f"{CACHE_PREFIX}{key}"
        if self._complete(name) is None:
            return None
        try:
            self._session.ready()
            with self._layout.adding():
                digest = self._complete(name)
                if digest is not None:
                    self._session.hold(digest)
                    os.utime(self._refs.path(name))
                return digest
        except (HoldfastError, OSError):
            return self._complete(name)  # a store that cannot be written still serves its cache

    def _complete(self, name: str) -> Digest | None:
        try:
            digest = self._refs.get(name)
            if digest is None or not all(map(self._blobs.has, blobs_of(self._blobs.read(digest), digest))):
                return None
        except HoldfastError:
            return None  # a damaged entry is no entry; verify tells about it
        return digest

    def put(self, key: str, manifest: Digest) -> None:
        """Raises:
        HoldfastError: the manifest or a blob it needs is not in the store, or the store cannot be written.
        """
        self._refs.set(f"{CACHE_PREFIX}{key}", manifest)

    def keys(self) -> tuple[str, ...]:
        return tuple(
            name[len(CACHE_PREFIX) :] for name in self._refs.names() if name.startswith(CACHE_PREFIX)
        )
