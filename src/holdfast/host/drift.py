"""What of ours is not as we put it there."""

from __future__ import annotations

from typing import Literal

from holdfast.base.errors import explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Absent, File, Node, Symlink, seen_as
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.secret_marks import read_changed
from holdfast.host.state import State


@dataclass(frozen=True)
class Drift:
    """One managed path that is not as it was put there."""

    path: str
    what: Literal["changed", "missing", "metadata", "other"]
    """Content; gone; mode or owner alone; something of another kind is there, or something where nothing should be."""
    wanted: Node
    found: Node


def read_drift(root: RootDirectory, state: State) -> tuple[Drift, ...]:
    """Compare every managed path with the state, in the order of paths.

    Raises:
        HoldfastError: the root cannot be read.
    """
    found: list[Drift] = []
    with explain_os_errors("compare managed files"):
        changed = read_changed(root, state)
        for path, managed in sorted(state.paths.items()):
            located = root.locate(path)
            drift = compare(path, managed.node, located.node)
            if drift is None and path in changed:  # by its hash alone: what is in it is not known
                drift = Drift(path, "changed", managed.node, managed.node)
            if drift is not None:
                found.append(drift)
    return tuple(found)


def compare(path: str, wanted: Node, found: Node) -> Drift | None:
    """How ``found`` differs from ``wanted``; None when it does not."""
    found = seen_as(wanted, found)
    if wanted == found:
        return None
    if isinstance(found, Absent):
        return Drift(path, "missing", wanted, found)
    if type(wanted) is not type(found):
        return Drift(path, "other", wanted, found)
    if isinstance(wanted, File) and isinstance(found, File) and wanted.digest != found.digest:
        return Drift(path, "changed", wanted, found)
    return Drift(path, "changed" if isinstance(wanted, Symlink) else "metadata", wanted, found)
