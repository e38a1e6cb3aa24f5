"""Blobs: immutable files named by the digest of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from holdfast.base.atomic import sync_directory
from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.store.layout import Layout
from holdfast.store.leases import Session

_CHUNK = 1 << 20
_COMPARED_WHOLE = 1 << 20
"""Up to this size a blob that is already there is read and compared, so that putting it again mends a damaged one."""


class BlobWriter:
    """Takes a blob's bytes in order. Nothing is visible before :meth:`commit`."""

    def __init__(self, layout: Layout, session: Session, staged: Path, descriptor: int) -> None:
        self._layout = layout
        self._session = session
        self._staged = staged
        self._descriptor = descriptor
        self._state = hashlib.sha256()
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return self._size

    def write(self, data: bytes | memoryview) -> None:
        """Append ``data``.

        Raises:
            HoldfastError: the store cannot be written.
        """
        self._state.update(data)
        view = memoryview(data)
        with explain_os_errors(f"write to the store {self._layout.root}"):
            while view:
                view = view[os.write(self._descriptor, view) :]
        self._size += len(data)

    def commit(self, expected: Digest | None = None) -> Digest:
        """Make the blob durable and visible, and return its digest. The last call on a writer.

        Raises:
            HoldfastError: the content is not what ``expected`` names (nothing becomes visible then), or the store
                cannot be written.
        """
        digest = Digest("sha256:" + self._state.hexdigest())
        if expected is not None and digest != expected:
            raise HoldfastError(
                "the content does not have the digest it should have",
                details=f"expected {expected}\ngot      {digest}",
                resolution="Fetch it again; if that does not help, its source is damaged or has changed.",
            )
        self._session.ready()
        with self._layout.adding(), explain_os_errors(f"write to the store {self._layout.root}"):
            os.fchmod(self._descriptor, 0o444)
            os.fsync(self._descriptor)
            self._staged.rename(self._layout.blob(digest))
            self._session.hold(digest)
            sync_directory(self._layout.blobs)
        return digest


class Blobs:
    """The blobs of one store."""

    def __init__(self, layout: Layout, session: Session) -> None:
        self._layout = layout
        self._session = session

    def path(self, digest: Digest) -> Path:
        """Where the blob lies, or would lie. Read it, never write it."""
        return self._layout.blob(digest)

    def has(self, digest: Digest) -> bool:
        return self._layout.blob(digest).is_file()

    def size(self, digest: Digest) -> int:
        """In bytes.

        Raises:
            HoldfastError: the blob is not in the store.
        """
        try:
            return self._layout.blob(digest).stat().st_size
        except FileNotFoundError:
            raise self._missing(digest) from None

    def open(self, digest: Digest) -> BinaryIO:
        """Raises:
        HoldfastError: the blob is not in the store, or may not be read.
        """
        try:
            with explain_os_errors(f"read from the store {self._layout.root}"):
                return self._layout.blob(digest).open("rb")
        except HoldfastError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise self._missing(digest) from None
            raise

    def read(self, digest: Digest) -> bytes:
        """The whole blob, checked against its digest; for small ones.

        Raises:
            HoldfastError: the blob is not in the store, or damaged.
        """
        with self.open(digest) as stream, explain_os_errors(f"read from the store {self._layout.root}"):
            data = stream.read()
        if digest_bytes(data) != digest:
            raise HoldfastError(
                f"the blob {digest} in {self._layout.root} is damaged",
                resolution="Run `holdfast store verify`: it says what needs the blob and how to mend it.",
            )
        return data

    def put_bytes(self, data: bytes) -> Digest:
        """Store ``data`` and return its digest.

        Raises:
            HoldfastError: the store cannot be written.
        """
        digest = digest_bytes(data)
        if not self._keep_existing(digest, data):
            with self.writer() as writer:
                writer.write(data)
                writer.commit(digest)
        return digest

    def put_file(self, path: Path) -> Digest:
        """Store a copy of the file and return its digest.

        Raises:
            HoldfastError: the file cannot be read, or the store cannot be written.
        """
        with explain_os_errors(f"read {path}"):
            source = path.open("rb", buffering=0)
        with source, self.writer() as writer:
            buffer = memoryview(bytearray(_CHUNK))
            while True:
                with explain_os_errors(f"read {path}"):
                    count = source.readinto(buffer)
                if not count:
                    break
                writer.write(buffer[:count])
            return writer.commit()

    @contextmanager
    def writer(self) -> Generator[BlobWriter]:
        """A :class:`BlobWriter`; leaving the body without its ``commit`` leaves nothing behind.

        Raises:
            HoldfastError: the store cannot be written.
        """
        with self._layout.staged_file() as (staged, descriptor):
            yield BlobWriter(self._layout, self._session, staged, descriptor)

    def list(self) -> Iterator[Digest]:
        """Every blob in the store, in the order of the digests."""
        for path in sorted(self._layout.blobs.iterdir()):
            if len(path.name) == 64:
                yield Digest(f"sha256:{path.name}")

    def _keep_existing(self, digest: Digest, data: bytes) -> bool:
        path = self._layout.blob(digest)
        try:
            size = path.stat().st_size
            if size != len(data) or (size <= _COMPARED_WHOLE and path.read_bytes() != data):
                return False
        except OSError:
            return False
        self._session.ready()
        with self._layout.adding():
            if not path.is_file():  # the garbage collector may have come first
                return False
            self._session.hold(digest)
        return True

    def _missing(self, digest: Digest) -> HoldfastError:
        return HoldfastError(
            f"the blob {hex_of(digest)[:12]} is not in the store {self._layout.root}",
            details=digest,
            resolution="Run the command that makes or fetches it again (`holdfast build`).",
        )
