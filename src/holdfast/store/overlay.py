"""Layers in overlayfs form: what a tree under ``trees/`` must look like so that trees stack as lower directories.

OCI layers delete with files named ``.wh.NAME`` and ``.wh..wh..opq`` (layer.md); overlayfs does it with character devices
0/0 and the extended attribute ``trusted.overlay.opaque`` (the kernel's overlayfs.rst).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from holdfast.base.errors import HoldfastError
from holdfast.store.admission import OPAQUE, WHITEOUT
from holdfast.store.table import Entry

OPAQUE_TRUSTED = "trusted.overlay.opaque"
OPAQUE_USER = "user.overlay.opaque"
"""What a mount made in a user namespace (option ``userxattr``) reads in its stead."""

OVERLAY_XATTRS = ("trusted.overlay.", "user.overlay.")
_YES = b"y".hex()


def opaque_xattr(directory: Path) -> str:
    """The attribute that this process may set below ``directory``: trusted ones need CAP_SYS_ADMIN, see xattr(7)."""
    try:
        os.setxattr(directory, "trusted.overlay.probe", b"y")
        os.removexattr(directory, "trusted.overlay.probe")
    except PermissionError:
        return OPAQUE_USER
    return OPAQUE_TRUSTED


def overlay_form(entries: Iterable[Entry], *, opaque: str) -> list[Entry]:
    """The tree that a layer unpacks to: each parent before what is in it, implied directories included.

    ``opaque`` is the extended attribute that marks an opaque directory.
    """
    nodes: dict[str, Entry] = {}
    opaques: set[str] = set()
    whiteouts: list[Entry] = []
    for entry in entries:
        directory, _, name = entry.path.rpartition("/")
        if name == OPAQUE:
            opaques.add(directory)
        elif name.startswith(WHITEOUT):
            path = f"{directory}/{name[len(WHITEOUT) :]}".lstrip("/")
            whiteouts.append(Entry(path, "whiteout", 0, 0, 0, 0))
        else:
            nodes[entry.path] = entry
    for path in [*nodes, *opaques, *(whiteout.path for whiteout in whiteouts)]:
        _add_parents(path, nodes)
    for whiteout in whiteouts:
        # Of a path that the layer also makes anew, only a directory lets the lower one show through.
        if whiteout.path not in nodes:
            nodes[whiteout.path] = whiteout
        elif nodes[whiteout.path].kind == "directory":
            opaques.add(whiteout.path)
    for path in opaques:
        node = nodes.get(path) or _implied(path)
        nodes[path] = node._replace(xattrs=tuple(sorted((*node.xattrs, (opaque, _YES)))))
    # A parent's path is a prefix of its members', so that it sorts before them.
    return sorted(nodes.values(), key=lambda entry: entry.path)


def _add_parents(path: str, nodes: dict[str, Entry]) -> None:
    while path:
        path = path.rpartition("/")[0]
        if path in nodes:
            return
        nodes[path] = _implied(path)


def _implied(path: str) -> Entry:
    return Entry(path, "directory", 0o755, 0, 0, 0)


def upper_mark(name: str, xattrs: dict[str, bytes]) -> bool:
    """Whether a directory of an overlayfs upper directory is opaque.

    Raises:
        HoldfastError: the directory or file points into a lower one (``redirect_dir=on`` or ``metacopy=on``).
    """
    for prefix in OVERLAY_XATTRS:
        for foreign in ("redirect", "metacopy"):
            if prefix + foreign in xattrs:
                raise HoldfastError(
                    f"{name!r} in the overlay's upper directory does not stand alone ({prefix}{foreign})",
                    resolution="Mount the overlay with redirect_dir=off,metacopy=off.",
                )
    return any(xattrs.get(prefix + "opaque") == b"y" for prefix in OVERLAY_XATTRS)
