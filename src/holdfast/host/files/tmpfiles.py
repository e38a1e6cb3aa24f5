"""What lines of tmpfiles.d(5) make, so that it can go again with them: systemd-tmpfiles itself only ever adds (pure).

Lines whose path has specifiers, patterns or quotes are left to it altogether, and so are copies, devices and pipes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from holdfast.base.digests import digest_bytes
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.files.rooted import Located

TMPFILES = "/etc/tmpfiles.d/holdfast.conf"
"""Where our lines are."""
_DIRECTORIES, _FILES, _LINKS = "dDvqQ", "fF", "L"
_PLAIN = re.compile(r"/[^%*?\[\]\\'\"]*")


def made_by(lines: Iterable[str]) -> Mapping[str, str]:
    """Path to what a file there begins with or a link there points to; nothing for directories."""
    made: dict[str, str] = {}
    for line in lines:
        fields = line.split(None, 6)
        if len(fields) < 2 or fields[0][0] not in _DIRECTORIES + _FILES + _LINKS:
            continue
        path = posixpath.normpath(fields[1])
        argument = fields[6] if len(fields) == 7 and fields[0][0] not in _DIRECTORIES else ""
        if _PLAIN.fullmatch(fields[1]) and path != "/" and not re.search(r"[%\\]", argument):
            made[path] = argument
    return made


def record(
    wanted: Mapping[str, str], old: Mapping[str, str], located: Mapping[str, Located]
) -> Mapping[str, str]:
    """Those of our rules' paths that were not there before them, and the directories that are made for them.

    ``located``: what is at the paths that are made now.
    """
    needed = _needed(wanted)
    ours = {path: wanted.get(path, "") for path in old if path in needed}
    for path, content in wanted.items():
        found = located.get(path)
        if (
            found is not None
            and path not in ours
            and isinstance(found.node, Absent)
            and not found.blocked
            and found.real == path
        ):
            ours.update({parent: "" for parent in found.missing if parent not in ours})
            ours[path] = content
    return ours


def dropped(old: Iterable[str], lines: Iterable[str]) -> frozenset[str]:
    """Those of our paths that no rule asks for any more."""
    return frozenset(old) - _needed(made_by(lines))


def _needed(wanted: Iterable[str]) -> frozenset[str]:
    paths = tuple(wanted)
    return frozenset(paths).union(*(_above(path) for path in paths))


def _above(path: str) -> list[str]:
    found: list[str] = []
    while (path := posixpath.dirname(path)) != "/":
        found.append(path)
    return found


def is_untouched(content: str, node: Node) -> bool:
    """Whether nobody has put anything of their own there. What is in a directory is seen when that is removed."""
    if isinstance(node, File):
        return node.digest == digest_bytes(content.encode())
    if isinstance(node, Symlink):
        return node.target == content
    return isinstance(node, Folder)
