"""What is, was or shall be at one path: the vocabulary that facts, plans and state share."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, Union

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass


@dataclass(frozen=True)
class File:
    """A regular file. ``mode`` is four octal digits, as in manifests; owner and group are numbers."""

    digest: Digest
    mode: str = "0644"
    uid: int = 0
    gid: int = 0
    kind: Literal["file"] = "file"


@dataclass(frozen=True)
class Symlink:
    target: str
    kind: Literal["link"] = "link"


@dataclass(frozen=True)
class Folder:
    """A directory itself, not what is in it."""

    mode: str = "0755"
    uid: int = 0
    gid: int = 0
    kind: Literal["directory"] = "directory"


@dataclass(frozen=True)
class Secret:
    """A file that is decrypted on the machine: known by the encrypted blob, never by its own content."""

    source: Digest
    encryption: Literal["age", "sops"]
    identities: tuple[str, ...]
    mode: str
    uid: int
    gid: int
    kind: Literal["secret"] = "secret"


@dataclass(frozen=True)
class Absent:
    kind: Literal["absent"] = "absent"


@dataclass(frozen=True)
class Special:
    """Something that is never replaced: a device, a socket, a named pipe."""

    what: str
    kind: Literal["special"] = "special"


Node = Union[File, Symlink, Folder, Secret, Absent, Special]


def describe(node: Node) -> str:
    """A few words for messages: ``a file``, ``a link to /x``."""
    if isinstance(node, File):
        return "a file"
    if isinstance(node, Symlink):
        return f"a link to {node.target}"
    if isinstance(node, Folder):
        return "a directory"
    if isinstance(node, Secret):
        return "a secret"
    if isinstance(node, Absent):
        return "nothing"
    return node.what


def seen_as(ours: Node, found: Node) -> Node:
    """``found`` where we put ``ours``: a file in place of a secret of ours is that secret, since its content is not known."""
    if isinstance(ours, Secret) and isinstance(found, File):
        return replace(ours, mode=found.mode, uid=found.uid, gid=found.gid)
    return found


@dataclass(frozen=True)
class Wish:
    """What shall be at a path, and why: the reason that plans show."""

    node: Node
    reason: str
