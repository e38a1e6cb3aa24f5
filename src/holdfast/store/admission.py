"""Which layers may be unpacked at all. Pure: judged from the names and types in a tar, before anything is written.

The rules are stricter than the OCI image specification's (layer.md), which leaves hostile layers to the implementation:
a name is relative and without ``..``; it occurs once; what it passes through is a directory of this layer or of nobody; a hard
link points at an earlier file of this layer. A symbolic link may point anywhere: nothing ever follows it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.store.table import Entry

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
DEPTH = 200
"""Levels of directories in a layer: far above any real system, and below the limit on open descriptors."""

_MAX_ID = (1 << 32) - 2
_FIRST_SECOND, _LAST_SECOND = (
    -(1 << 31),
    (1 << 34) - (1 << 31) - 1,
)  # what ext4 can hold, which is least but for old XFS
_MAJORS, _MINORS = 1 << 12, 1 << 20  # Linux's dev_t
_MAX_COMPONENT_BYTES = 255
_MAX_BYTES_PER_CHARACTER = 4


@dataclass(frozen=True)
class Limits:
    """What a layer may demand. The sizes are bounds against bombs, far above any real system."""

    entries: int = 2_000_000
    content_bytes: int = 64 << 30
    path_bytes: int = 4095
    depth: int = DEPTH
    """Directories above a member; each holds one open descriptor while the layer is unpacked."""
    devices: bool = False
    """Whether device nodes may be made: only for layers of one's own."""


def admit(entries: Iterable[Entry], limits: Limits) -> list[Entry]:
    """The same members with normal names (no ``./``, no slash at the end), all judged acceptable.

    Raises:
        HoldfastError: a member would leave the root, pass through a link, come twice, or exceed a limit; says which.
    """
    admission = _Admission(limits)
    return [admission.judge(entry) for entry in entries]


class _Admission:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._kinds: dict[str, str] = {}
        """Every path so far; directories that are only implied by a member below them are ``implied``."""
        self._content_bytes = 0
        self._count = 0

    def judge(self, entry: Entry) -> Entry:
        path = self._normal(entry.path, entry.path)
        self._check_amount(entry)
        self._check_place(path, entry)
        if entry.kind == "hardlink":
            target = self._normal(entry.target, entry.path)
            if self._kinds.get(target) not in ("file", "hardlink") or _is_whiteout(target):
                raise _refuse(
                    entry.path,
                    f"it is a hard link to {entry.target!r}, which is no earlier file of the layer",
                )
            entry = entry._replace(target=target)
        if entry.kind in ("char", "block") and not self._limits.devices:
            raise _refuse(entry.path, "it is a device node")
        if entry.kind == "char" and entry.device == (0, 0):
            raise _refuse(entry.path, "it is a 0/0 device node, which overlayfs takes for a whiteout")
        if not (0 <= entry.uid <= _MAX_ID and 0 <= entry.gid <= _MAX_ID):
            raise _refuse(entry.path, "its owner is out of range")
        if not _FIRST_SECOND <= entry.mtime <= _LAST_SECOND:
            raise _refuse(entry.path, "its time is out of range")
        if not (0 <= entry.device[0] < _MAJORS and 0 <= entry.device[1] < _MINORS):
            raise _refuse(entry.path, "its device number is out of range")
        if "\0" in entry.target or any("\0" in name for name, _ in entry.xattrs):
            raise _refuse(entry.path, "its target or an attribute's name contains a zero byte")
        self._check_whiteout(path, entry)
        self._kinds[path] = entry.kind
        return entry if entry.path == path else entry._replace(path=path)

    def _normal(self, path: str, member: str) -> str:
        if path.startswith("/"):
            raise _refuse(member, f"the name {path!r} is absolute")
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise _refuse(member, f"the name {path!r} contains '..'")
        if "\0" in path:
            raise _refuse(member, "its name contains a zero byte")
        if len(parts) > self._limits.depth:
            raise _refuse(member, f"it is more than {self._limits.depth} directories deep")
        normal = "/".join(parts)
        if len(path) * _MAX_BYTES_PER_CHARACTER > _MAX_COMPONENT_BYTES:
            longest = max((len(os.fsencode(part)) for part in parts), default=0)
            if longest > _MAX_COMPONENT_BYTES or len(os.fsencode(normal)) > self._limits.path_bytes:
                raise _refuse(member, "its name is too long")
        return normal

    def _check_amount(self, entry: Entry) -> None:
        self._count += 1
        self._content_bytes += entry.size
        if self._count > self._limits.entries:
            raise HoldfastError(f"the layer has more than {self._limits.entries} members")
        if self._content_bytes > self._limits.content_bytes:
            raise HoldfastError(f"the layer holds more than {self._limits.content_bytes >> 30} GiB")

    def _check_place(self, path: str, entry: Entry) -> None:
        known = self._kinds.get(path)
        if known is not None and not (known == "implied" and entry.kind == "directory"):
            raise _refuse(entry.path, "it comes twice")
        if not path and entry.kind != "directory":
            raise _refuse(entry.path, "it would replace the root directory")
        parent = path.rpartition("/")[0]
        while parent:
            above = self._kinds.get(parent)
            if above in ("directory", "implied"):
                return
            if above is not None:
                raise _refuse(entry.path, f"its parent {parent!r} is a {above}")
            self._kinds[parent] = "implied"
            parent = parent.rpartition("/")[0]

    def _check_whiteout(self, path: str, entry: Entry) -> None:
        for part in path.split("/")[:-1]:
            if part.startswith(WHITEOUT):
                raise _refuse(entry.path, "it lies below the name of a whiteout")
        if not _is_whiteout(path):
            return
        name = path.rpartition("/")[2]
        if entry.kind != "file" or entry.size:
            raise _refuse(entry.path, "a whiteout must be an empty file")
        hidden = name[len(WHITEOUT) :]
        if name != OPAQUE and (hidden in ("", ".", "..") or hidden.startswith(WHITEOUT)):
            raise _refuse(entry.path, "it is no whiteout that layer.md knows")


def _is_whiteout(path: str) -> bool:
    return path.rpartition("/")[2].startswith(WHITEOUT)


def _refuse(path: str, why: str) -> HoldfastError:
    return HoldfastError(
        f"the layer's member {path!r} is refused: {why}",
        resolution="Nothing was written. Do not use this layer; if it is your own, build it again without that member.",
    )
