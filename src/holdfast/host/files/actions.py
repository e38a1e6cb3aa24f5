"""What a plan consists of: small frozen steps, each with its reason and enough to compute the step that undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, Union

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink, describe

Attributes = Mapping[str, str]
NO_ATTRIBUTES: Attributes = {}


@dataclass(frozen=True)
class Keep:
    """Copy the content of a file that is about to be replaced to where Holdfast keeps such things."""

    path: str
    digest: Digest
    reason: str
    kind: Literal["keep"] = "keep"


@dataclass(frozen=True)
class Drop:
    """Forget kept content: what undoes :class:`Keep`."""

    path: str
    digest: Digest
    reason: str
    kind: Literal["drop"] = "drop"


@dataclass(frozen=True)
class PutFile:
    """Put a regular file in place by rename. Its content is found by digest."""

    path: str
    node: File
    before: Node
    reason: str
    attributes: Attributes = field(default_factory=lambda: {})
    """Extended attributes that the new file gets, see :mod:`holdfast.host.files.rooted`."""
    before_attributes: Attributes = field(default_factory=lambda: {})
    edit: bool = False
    """We share the file with others: what they change meanwhile must not be lost."""
    kind: Literal["put-file"] = "put-file"


@dataclass(frozen=True)
class PutLink:
    path: str
    node: Symlink
    before: Node
    reason: str
    before_attributes: Attributes = field(default_factory=lambda: {})
    kind: Literal["put-link"] = "put-link"


@dataclass(frozen=True)
class MakeDirectory:
    path: str
    node: Folder
    reason: str
    kind: Literal["make-directory"] = "make-directory"


@dataclass(frozen=True)
class SetDirectory:
    """Change mode and owner of a directory that is there."""

    path: str
    node: Folder
    before: Folder
    reason: str
    kind: Literal["set-directory"] = "set-directory"


@dataclass(frozen=True)
class Remove:
    """Take away a file or a link."""

    path: str
    before: Node
    reason: str
    before_attributes: Attributes = field(default_factory=lambda: {})
    kind: Literal["remove"] = "remove"


@dataclass(frozen=True)
class RemoveDirectory:
    """Take away a directory of ours, unless somebody else has put something into it."""

    path: str
    before: Folder
    reason: str
    kind: Literal["remove-directory"] = "remove-directory"


Action = Union[Keep, Drop, PutFile, PutLink, MakeDirectory, SetDirectory, Remove, RemoveDirectory]


def inverse(action: Action) -> Action:
    """The action that undoes ``action``, to be applied when everything after it has been undone."""
    reason = f"undo: {action.reason}"
    if isinstance(action, Keep):
        return Drop(action.path, action.digest, reason)
    if isinstance(action, Drop):
        return Keep(action.path, action.digest, reason)
    if isinstance(action, PutFile):
        return put(
            action.path,
            action.before,
            action.node,
            reason,
            attributes=action.before_attributes,
            before_attributes=action.attributes,
            edit=action.edit,
        )
    if isinstance(action, PutLink):
        return put(action.path, action.before, action.node, reason, attributes=action.before_attributes)
    if isinstance(action, MakeDirectory):
        return RemoveDirectory(action.path, action.node, reason)
    if isinstance(action, SetDirectory):
        return SetDirectory(action.path, action.before, action.node, reason)
    if isinstance(action, Remove):
        return put(action.path, action.before, Absent(), reason, attributes=action.before_attributes)
    return MakeDirectory(action.path, action.before, reason)


def put(
    path: str,
    node: Node,
    before: Node,
    reason: str,
    *,
    attributes: Attributes = NO_ATTRIBUTES,
    before_attributes: Attributes = NO_ATTRIBUTES,
    edit: bool = False,
) -> Action:
    """The action that makes ``node`` of ``before``. Their kinds must be exchangeable: no directory for a file."""
    if isinstance(node, File):
        return PutFile(path, node, before, reason, attributes, before_attributes, edit)
    if isinstance(node, Symlink):
        return PutLink(path, node, before, reason, before_attributes)
    if isinstance(node, Folder):
        return (
            SetDirectory(path, node, before, reason)
            if isinstance(before, Folder)
            else MakeDirectory(path, node, reason)
        )
    if isinstance(node, Absent):
        return (
            RemoveDirectory(path, before, reason)
            if isinstance(before, Folder)
            else Remove(path, before, reason, before_attributes)
        )
    raise ValueError(f"{path}: {describe(node)} cannot be made")
