"""What becomes of files, in the order of the plan and in words and differences that people read."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.host import state as places
from holdfast.host.accounts.tables import SHADOW_FILES
from holdfast.host.change import FileChange
from holdfast.host.files.actions import Action, Drop, Keep, MakeDirectory
from holdfast.host.files.nodes import Absent, File, Node, Secret
from holdfast.host.state import Managed
from holdfast.host.steps import DecryptSecret

_OURS = posixpath.dirname(places.HOME)
LARGE = 256 << 10
"""Bytes; more than that is not compared line by line."""

Read = Callable[[str, Digest], "bytes | None"]
"""Content of a path that is to be changed, or of new content if the path is empty; None when it cannot be had."""


def file_changes(
    actions: tuple[Action, ...],
    secrets: tuple[DecryptSecret, ...],
    managed: Mapping[str, Managed],
    found: Mapping[str, Node],
) -> tuple[FileChange, ...]:
    """One entry for each path but Holdfast's own, without differences. ``found``: what is at managed paths."""
    changes: dict[str, FileChange] = {}
    for action in actions:
        if isinstance(action, (Keep, Drop)) or action.path.startswith(_OURS):
            continue
        before = Absent() if isinstance(action, MakeDirectory) else action.before
        after = getattr(action, "node", Absent())
        _add(changes, FileChange(action.path, before, after, action.reason))
    old = {secret.path: _secret(secret) for secret in secrets if secret.when == "undo"}
    for secret in secrets:
        if secret.when == "do":
            before = old.get(secret.path, Absent())
            change = FileChange(secret.path, before, _secret(secret), "declared secret", hidden="secret")
            _add(changes, change)
        elif secret.path in changes:
            changes[secret.path] = replace(changes[secret.path], hidden="secret")
    for path, change in changes.items():
        if path in managed and found.get(path) not in (None, managed[path].node):
            changes[path] = replace(change, drifted=True)
    return tuple(changes.values())


def _secret(step: DecryptSecret) -> Secret:
    digest = Digest(step.source)
    return Secret(digest, step.encryption, step.identities, step.mode, step.uid, step.gid)


def _add(changes: dict[str, FileChange], change: FileChange) -> None:
    earlier = changes.get(change.path)
    if earlier is not None:  # taken away and put there anew: one change
        change = replace(change, before=earlier.before)
    changes[change.path] = change


def with_difference(change: FileChange, read: Read) -> FileChange:
    """The same with what changes in the text, where that can be shown."""
    before, after = change.before, change.after
    old = before.digest if isinstance(before, File) else None
    new = after.digest if isinstance(after, File) else None
    if change.hidden or old == new:
        return change
    if change.path in SHADOW_FILES or any(_is_private(node) for node in (before, after)):
        return replace(change, hidden="secret")
    texts = [
        _Text() if digest is None else _text(read(path, digest))
        for path, digest in ((change.path, old), ("", new))
    ]
    for text in texts:
        if text.hidden:
            return replace(change, hidden=text.hidden)
    return replace(change, diff=_difference(change.path, texts[0].text, texts[1].text, old, new))


@dataclass(frozen=True)
class _Text:
    text: str = ""
    hidden: Literal["", "binary", "large"] = ""


def _is_private(node: Node) -> bool:
    """Nobody but its owner may read it: then a plan must not tell what is in it."""
    return isinstance(node, File) and int(node.mode, 8) & 0o077 == 0


def _text(data: bytes | None) -> _Text:
    if data is None or b"\0" in data:
        return _Text(hidden="binary")
    if len(data) > LARGE:
        return _Text(hidden="large")
    try:
        return _Text(data.decode())
    except UnicodeDecodeError:
        return _Text(hidden="binary")


def _difference(path: str, old: str, new: str, before: Digest | None, after: Digest | None) -> str:
    import difflib  # only plans that people read need it

    lines = difflib.unified_diff(
        old.splitlines(),
        new.splitlines(),
        path if before else "/dev/null",
        path if after else "/dev/null",
        lineterm="",
    )
    return "\n".join(lines)
