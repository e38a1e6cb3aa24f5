"""Reading what is there in a root: once, before anything is decided."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.base.digests import Digest
from holdfast.base.errors import explain_os_errors
from holdfast.host import state as places
from holdfast.host.accounts import Ids
from holdfast.host.basics import Basics, read_basics
from holdfast.host.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.rooted import Located, RootDirectory
from holdfast.host.state import State, read_state
from holdfast.host.wishes import make_wishes
from holdfast.manifest.document import manifest_digest
from holdfast.manifest.model import Manifest


@dataclass(frozen=True)
class Facts:
    basics: Basics
    located: Mapping[str, Located]
    """Every path that a plan may need, as it was asked for, once ``gone`` is gone."""
    managed: Mapping[str, Located]
    """Every path of the state."""
    gone: frozenset[str]
    """Real paths of files and links of ours that are no longer wished, or as directories: they go before anything is put in place."""
    kept: frozenset[str]
    """File names of the content that is kept already."""


def read_facts(
    root: RootDirectory, manifest: Manifest, state: State | None, *, ids: Ids, epoch: int
) -> Facts:
    """Look at everything that planning ``manifest`` needs to know of ``root``.

    Raises:
        HoldfastError: the root cannot be read.
    """
    with explain_os_errors("read the system"):
        basics = read_basics(root, manifest, state)
        wishes = make_wishes(manifest, basics, state, ids=ids, epoch=epoch)
        record = record_paths(next_generation(manifest_digest(manifest), state))
        left = wishes.settled.leftovers
        paths = sorted({*wishes.nodes, *wishes.once, *wishes.edits, *left, *record})
        located = {path: root.locate(path) for path in paths}
        managed = {path: located.get(path) or root.locate(path) for path in state.paths} if state else {}
        gone = _gone(state, managed, {located[path].real: wish.node for path, wish in wishes.nodes.items()})
        if gone:
            located = {path: root.locate(path, ignoring=gone) for path in paths}
        kept = root.locate(places.KEPT).names
    return Facts(basics, located, managed, gone, frozenset(kept))


def _gone(state: State | None, managed: Mapping[str, Located], wished: Mapping[str, Node]) -> frozenset[str]:
    return frozenset(
        path
        for path, located in managed.items()
        if state is not None
        and isinstance(wished.get(path, Folder()), Folder)
        and isinstance(located.node, (File, Symlink))
        and isinstance(state.paths[path].before, Absent)
    )


def record_paths(generation: int) -> tuple[str, ...]:
    """Where a generation is recorded: its manifest, the link to it, the state; and a place in what is kept."""
    manifest = f"{places.generation_path(generation)}/manifest.json"
    return manifest, places.CURRENT, places.STATE, posixpath.join(places.KEPT, "x")


def next_generation(manifest: Digest, state: State | None) -> int:
    """The generation's number: a new one for a new manifest, given by its digest."""
    if state is None:
        return 1
    return state.generation + (state.manifest != manifest)


def read_recorded_state(root: RootDirectory) -> State | None:
    """The state that an earlier activation left in ``root``, or None.

    Raises:
        HoldfastError: it is damaged or newer than this Holdfast.
    """
    with explain_os_errors("read Holdfast's state"):
        located = root.locate(places.STATE)
        data = root.read(places.STATE) if isinstance(located.node, File) else None
    return None if data is None else read_state(data)
