"""Reading what is there in a root: once, before anything is decided."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import field, replace

from holdfast.base.digests import Digest, hex_of
from holdfast.base.errors import explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host import state as places
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.files.rooted import Located, RootDirectory
from holdfast.host.packages.record import PackageState
from holdfast.host.planning.basics import Basics, read_basics
from holdfast.host.planning.wishes import NOTHING, make_no_wishes, make_wishes
from holdfast.host.secret_marks import read_changed
from holdfast.host.state import Edited, State, read_state
from holdfast.manifest.document import manifest_digest
from holdfast.manifest.model import Manifest


@dataclass(frozen=True)
class Recording:
    """How a change on a live machine is written down; on a root under construction there is nothing more to say."""

    generation: int
    origin: bytes
    """What the generation was wanted with, besides its manifest: the content of its ``wanted.json``."""
    packages: PackageState | None = None
    """What is recorded of packages; None where no package manager is at work, so that all is as it was recorded."""


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
    shared: Mapping[str, bytes] = field(default_factory=lambda: {})
    """Files that we share with others, as they were before us: read when everything is given back."""
    changed_secrets: frozenset[str] = frozenset()
    """Real paths of secrets of ours whose content somebody changed."""


def read_facts(
    root: RootDirectory,
    manifest: Manifest | None,
    state: State | None,
    *,
    ids: Ids,
    epoch: int,
    recording: Recording | None = None,
) -> Facts:
    """Look at everything that planning ``manifest`` needs to know of ``root``; None plans to give everything back.

    Raises:
        HoldfastError: the root cannot be read.
    """
    with explain_os_errors("read the system"):
        if manifest is None:
            basics = replace(read_basics(root, NOTHING, state, everything=True), access=None)
            wishes = make_no_wishes(basics, state, epoch=epoch)
            generation = state.generation if state else 0
        else:
            basics = read_basics(root, manifest, state, new=recording is None)
            wishes = make_wishes(manifest, basics, state, ids=ids, epoch=epoch, live=recording is not None)
            generation = next_generation(manifest_digest(manifest), state)
        record = record_paths(recording.generation if recording else generation)
        left = wishes.settled.leftovers
        made: Mapping[str, str] = state.tmpfiles if state else {}
        wished = {*wishes.nodes, *wishes.once, *wishes.edits, *wishes.tmpfiles}
        paths = sorted({*wished, *made, *left, *record, *(state.parents if state else ())})
        shared = {*wishes.edits, *(state.edited if state else ())} - wishes.nodes.keys()
        located = {path: _locate(root, path, shared) for path in {*paths, *shared}}
        managed = {path: located.get(path) or root.locate(path) for path in state.paths} if state else {}
        gone = _gone(state, managed, {located[path].real: wish.node for path, wish in wishes.nodes.items()})
        if gone:
            located = {path: _locate(root, path, shared, gone) for path in located}
        kept = root.locate(places.KEPT).names
        shared_before = _read_kept(root, state) if manifest is None else {}
        changed = read_changed(root, state)
    return Facts(basics, located, managed, gone, frozenset(kept), shared_before, changed)


def _locate(
    root: RootDirectory, path: str, shared: Collection[str], ignoring: frozenset[str] = frozenset()
) -> Located:
    """Files that we share with others are changed where they really are; a link that leads to none is replaced."""
    if path in shared:
        located = root.locate(path, ignoring=ignoring, follow=True)
        if isinstance(located.node, File):
            return located
    return root.locate(path, ignoring=ignoring)


def _read_kept(root: RootDirectory, state: State | None) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    shared: Mapping[str, Edited] = state.edited if state else {}
    for path, edited in shared.items():
        if isinstance(edited.before, File):
            data = root.read(f"{places.KEPT}/{hex_of(edited.before.digest)}")
            if data is not None:
                found[path] = data
    return found


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
    """Where a generation is recorded: its manifest, the link to it, the state, what it came with; and a place in what is kept."""
    home = places.generation_path(generation)
    return (
        f"{home}/manifest.json",
        places.CURRENT,
        places.STATE,
        f"{home}/wanted.json",
        posixpath.join(places.KEPT, "x"),
    )


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
