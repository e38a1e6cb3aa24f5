"""Unpacked layers, used read-only: lower directories of overlay mounts. Everything here can be made again from the blobs."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from holdfast.base.atomic import sync_file_system
from holdfast.base.codec import canonical_json
from holdfast.base.digests import Digest, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import stage
from holdfast.base.locks import file_lock
from holdfast.store.admission import Limits, admit
from holdfast.store.blobs import Blobs
from holdfast.store.layers import Layers
from holdfast.store.layout import Layout, remove_tree
from holdfast.store.leases import Session
from holdfast.store.overlay import OPAQUE_TRUSTED, opaque_xattr, overlay_form
from holdfast.store.table import Entry
from holdfast.store.treecheck import conform, differences
from holdfast.store.unpack import unpack

RECORD = "tree.json"
_LOCK_WAIT_SECONDS = 600.0
_MOST_PROBLEMS = 20


class Trees:
    """The unpacked layers of one store."""

    def __init__(self, layout: Layout, session: Session, blobs: Blobs, layers: Layers) -> None:
        self._layout = layout
        self._session = session
        self._blobs = blobs
        self._layers = layers

    def path(self, diff_id: Digest) -> Path:
        """Where the layer's tree lies, or would lie."""
        return self._layout.tree(diff_id) / "fs"

    def has(self, diff_id: Digest) -> bool:
        return (self._layout.tree(diff_id) / RECORD).is_file()

    def is_recorded(self, diff_id: Digest) -> bool:
        """As :meth:`has`, and the record reads as it was written."""
        try:
            return (self._layout.tree(diff_id) / RECORD).read_bytes() == _record(diff_id)
        except OSError:
            return False

    def ensure(self, diff_id: Digest, *, limits: Limits | None = None) -> Path:
        """The layer's tree, unpacked if it is not there yet; in overlayfs form, never to be written to.

        It stays while this process lives. ``limits`` is what the layer may demand; device nodes are refused by default.

        Raises:
            HoldfastError: the layer is not in the store, hostile, or cannot be unpacked (other owners need root).
        """
        if self._hold_existing(diff_id):
            return self.path(diff_id)
        with self._lock(diff_id):
            if self._hold_existing(diff_id):
                return self.path(diff_id)
            table = self._layers.table(diff_id)
            entries = admit(table.entries, limits or Limits())
            with (
                stage("Unpacking layer", total=table.content_size(), unit="bytes") as progress,
                self._layout.staged_directory() as staging,
                self._blobs.open(diff_id) as tar,
            ):
                (staging / "fs").mkdir()
                form = self._form(entries, staging)
                unpack(form, tar.fileno(), staging / "fs", progress)
                self._complete(diff_id, staging)
        return self.path(diff_id)

    def adopt(self, diff_id: Digest, directory: Path) -> Path:
        """Move ``directory``, of which the layer was packed just now, into place as the layer's tree.

        Saves unpacking what was packed a moment ago. Times are clamped as in the layer, what the layer left out is removed.
        If the tree is there already, or ``directory`` lies on another file system, it is only removed and the layer unpacked.

        Raises:
            HoldfastError: ``directory`` is not what the layer holds, or cannot be moved.
        """
        if self._hold_existing(diff_id):
            remove_tree(directory)
            return self.path(diff_id)
        table = self._layers.table(diff_id)
        with self._lock(diff_id), self._layout.staged_directory() as staging:
            moved = staging / "fs"
            try:
                with explain_os_errors(f"move {directory} into the store"):
                    directory.rename(moved)
            except HoldfastError as error:
                if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EXDEV:
                    raise
            if moved.exists():
                form = self._form(table.entries, staging)
                with explain_os_errors(f"read the tree {moved}"):
                    conform(moved, form, remove_tree)
                    wrong = next(differences(moved, form, contents=False, progress=lambda _: None), None)
                if wrong is not None:
                    moved.rename(directory)
                    raise HoldfastError(
                        f"{directory} is not what the layer {diff_id} holds: {wrong[0]!r} {wrong[1]}",
                        resolution="Nothing may change a tree between packing and adopting it.",
                    )
                self._complete(diff_id, staging)
                return self.path(diff_id)
        remove_tree(directory)
        return self.ensure(diff_id, limits=Limits(devices=True))

    def problems(self, diff_id: Digest, *, progress: Callable[[int], None] = lambda _: None) -> list[str]:
        """What is wrong with an unpacked tree, every file's content included; at most twenty lines. Changes nothing.

        ``progress`` is told the bytes that were read.

        Raises:
            HoldfastError: the layer is not in the store, or the tree cannot be read.
        """
        table = self._layers.peek(diff_id)
        form = overlay_form(table.entries, opaque=OPAQUE_TRUSTED)
        found: list[str] = []
        with explain_os_errors(f"read the tree {self.path(diff_id)}"):
            for path, problem in differences(self.path(diff_id), form, contents=True, progress=progress):
                found.append(f"{path or '.'} {problem}")
                if len(found) == _MOST_PROBLEMS:
                    break
        return found

    def _form(self, entries: list[Entry] | tuple[Entry, ...], beside: Path) -> list[Entry]:
        return overlay_form(entries, opaque=opaque_xattr(beside))

    def _lock(self, diff_id: Digest) -> AbstractContextManager[None]:
        return file_lock(
            self._layout.locks / f"tree-{hex_of(diff_id)}",
            wait_seconds=_LOCK_WAIT_SECONDS,
            purpose=f"the tree of layer {hex_of(diff_id)[:12]}",
        )

    def _hold_existing(self, diff_id: Digest) -> bool:
        if not self.has(diff_id):
            return False
        try:
            self._session.ready()
        except HoldfastError:
            return True  # a store that cannot be written cannot be collected either
        with self._layout.adding():
            if not self.has(diff_id):
                return False
            self._session.hold(diff_id)
        return True

    def _complete(self, diff_id: Digest, staging: Path) -> None:
        """Make the tree durable, record it as complete, and let it appear."""
        self._session.ready()
        with explain_os_errors(f"write to the store {self._layout.root}"):
            (staging / RECORD).write_bytes(_record(diff_id))
            sync_file_system(staging)
            with self._layout.adding():
                self._session.hold(diff_id)
                try:
                    staging.rename(self._layout.tree(diff_id))
                except OSError as error:
                    # Somebody else was first, which the lock prevents unless its file is deleted.
                    if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                        raise


def _record(diff_id: Digest) -> bytes:
    return canonical_json({"diff_id": diff_id})
