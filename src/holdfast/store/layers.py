"""Layers: deterministic tars in ``blobs/`` with their tables in ``tables/``."""

from __future__ import annotations

import mmap
import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from holdfast.base.atomic import write_atomically
from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import stage
from holdfast.store.admission import Limits, admit
from holdfast.store.artifacts import Layer
from holdfast.store.blobs import Blobs
from holdfast.store.layout import Layout
from holdfast.store.leases import Session
from holdfast.store.packing import Packer, TarStream
from holdfast.store.table import Entry, Table, read_table, write_table
from holdfast.store.tar import BLOCK, hash_content, read_members

OWN_LAYER = Limits(devices=True)
"""For indexing: a table may name device nodes; whether they are made is decided when the layer is unpacked."""


class Layers:
    """The layers of one store."""

    def __init__(self, layout: Layout, session: Session, blobs: Blobs) -> None:
        self._layout = layout
        self._session = session
        self._blobs = blobs

    def from_tree(self, root: Path, *, clamp_mtime: int, exclude: Collection[str] = ()) -> Layer:
        """Pack the tree ``root``; equal trees give the same layer, however they were made.

        ``clamp_mtime`` (seconds since 1970): younger files get this time, older ones keep theirs. ``exclude``: paths relative
        to the root that are left out with all below them; ``proc/*`` keeps the directory and leaves out what is in it.

        Raises:
            HoldfastError: something cannot be read, or cannot be in a layer, or the store cannot be written.
        """
        return self._pack(root, clamp_mtime=clamp_mtime, exclude=exclude, upper=False)

    def from_overlay_upper(self, upper: Path, *, clamp_mtime: int) -> Layer:
        """Pack an overlayfs upper directory: its whiteouts and opaque directories become those of OCI.

        Raises:
            HoldfastError: as :meth:`from_tree`; also when the overlay was mounted with ``redirect_dir`` or ``metacopy``.
        """
        return self._pack(upper, clamp_mtime=clamp_mtime, exclude=(), upper=True)

    def from_tar(self, diff_id: Digest) -> Layer:
        """The layer of an uncompressed tar that is already among the blobs; makes its table.

        Raises:
            HoldfastError: the blob is no tar, or a hostile one.
        """
        return Layer(diff_id, self.table(diff_id).size)

    def table(self, diff_id: Digest) -> Table:
        """What is in the layer; read from the tar when the table is missing or damaged.

        Raises:
            HoldfastError: the layer is not in the store, is no tar, or a hostile one.
        """
        table, is_new = self._find_table(diff_id)
        if is_new:
            try:
                self._put_table(table)
            except HoldfastError:
                if os.access(self._layout.tables, os.W_OK):
                    raise
        return table

    def peek(self, diff_id: Digest) -> Table:
        """As :meth:`table`, and changes nothing in the store.

        Raises:
            HoldfastError: as :meth:`table`.
        """
        return self._find_table(diff_id)[0]

    def _find_table(self, diff_id: Digest) -> tuple[Table, bool]:
        try:
            return read_table(self._layout.table(diff_id).read_bytes(), diff_id), False
        except (OSError, HoldfastError):
            return index_tar(self._blobs.path(diff_id), diff_id, self._blobs.size(diff_id)), True

    def read_file(self, diff_id: Digest, entry: Entry) -> bytes:
        """The content of a file of the layer.

        Raises:
            HoldfastError: the layer is not in the store, or may not be read.
        """
        with self._blobs.open(diff_id) as stream, explain_os_errors(f"read the layer {diff_id}"):
            stream.seek(entry.offset)
            return stream.read(entry.size)

    def _pack(self, root: Path, *, clamp_mtime: int, exclude: Collection[str], upper: bool) -> Layer:
        with stage("Packing layer", unit="bytes") as progress, self._blobs.writer() as writer:
            stream = TarStream(writer, progress)
            packer = Packer(root, stream, clamp_mtime=clamp_mtime, exclude=exclude, upper=upper)
            with stream.running():
                packer.pack()
            diff_id = writer.commit()
            self._put_table(Table(diff_id, writer.size, tuple(packer.entries)))
            return Layer(diff_id, writer.size)

    def _put_table(self, table: Table) -> None:
        with self._layout.adding(), explain_os_errors(f"write to the store {self._layout.root}"):
            write_atomically(self._layout.table(table.diff_id), write_table(table), mode=0o444, durable=False)


def index_tar(path: Path, diff_id: Digest, size: int) -> Table:
    """Read a tar's table.

    Raises:
        HoldfastError: it is no tar, or a hostile one.
    """
    with stage("Reading layer", total=size, unit="bytes") as progress, explain_os_errors(f"read {path}"):
        if size < BLOCK:
            raise HoldfastError(f"{path} is no tar")
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            entries = admit(
                (entry for entry, _ in read_members(data, max_entries=OWN_LAYER.entries)), OWN_LAYER
            )

            def hashed(entry: Entry) -> Entry:
                progress.advance(entry.size)
                return hash_content(data, entry) if entry.kind == "file" else entry

            with ThreadPoolExecutor(os.cpu_count()) as pool:
                return Table(diff_id, size, tuple(pool.map(hashed, entries)))
