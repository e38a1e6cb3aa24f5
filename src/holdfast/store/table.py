"""A layer's table: what lies in its tar and where, so that nobody has to read the tar again.

The table of a layer is a function of the tar alone. Names are ``str`` with undecodable bytes as surrogates (PEP 383).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass

VERSION = 1

Kind = Literal["file", "directory", "symlink", "hardlink", "char", "block", "fifo", "whiteout"]
"""``whiteout`` appears only in overlay form (:mod:`holdfast.store.overlay`), never in a table."""


class Entry(NamedTuple):
    """One member of a layer. A tuple and not a dataclass: layers have tens of thousands."""

    path: str
    """Relative, without slashes at either end; empty for the root directory."""
    kind: Kind
    mode: int
    """Permission bits, 0 to 0o7777."""
    uid: int
    gid: int
    mtime: int
    """Whole seconds since 1970, possibly negative."""
    size: int = 0
    """Bytes of content; 0 for all but files."""
    sha256: str = ""
    """Of a file's content, 64 hexadecimal digits; empty for all but files."""
    offset: int = 0
    """Where a file's content starts in the tar."""
    target: str = ""
    """A symbolic link's text, or the path of a hard link's first name."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device node."""
    xattrs: tuple[tuple[str, str], ...] = ()
    """(name, value in hexadecimal), sorted by name."""


@dataclass(frozen=True)
class Table:
    """All members of one layer, in the order of the tar."""

    diff_id: Digest
    size: int
    """Bytes of the tar."""
    entries: tuple[Entry, ...]

    def content_size(self) -> int:
        """Bytes of all files' content."""
        return sum(entry.size for entry in self.entries)


def write_table(table: Table) -> bytes:
    """The table's file: one line with the digest of all that follows, then JSON with one array per entry."""
    document = {
        "version": VERSION,
        "diff_id": table.diff_id,
        "size": table.size,
        "entries": table.entries,
    }
    body = json.dumps(document, separators=(",", ":")).encode("ascii")
    return b"sha256:%s\n%s\n" % (hashlib.sha256(body + b"\n").hexdigest().encode(), body)


def read_table(data: bytes, diff_id: Digest) -> Table:
    """Parse and check what :func:`write_table` wrote for the layer ``diff_id``.

    Raises:
        HoldfastError: the table is damaged, of another layer or of another version.
    """
    head, _, body = data.partition(b"\n")
    if head != b"sha256:" + hashlib.sha256(body).hexdigest().encode():
        raise HoldfastError(f"the table of layer {diff_id} is damaged")
    document = cast("dict[str, object]", json.loads(body))
    if document["version"] != VERSION or document["diff_id"] != diff_id:
        raise HoldfastError(f"the table of layer {diff_id} is of another version or another layer")
    rows = cast("list[list[object]]", document["entries"])
    return Table(diff_id, cast("int", document["size"]), tuple(map(_entry, rows)))


def _entry(row: list[object]) -> Entry:
    # The checksum was right, so the row is what write_table made of an Entry: only lists must become tuples again.
    row[10] = tuple(cast("list[int]", row[10]))
    row[11] = tuple((name, value) for name, value in cast("list[tuple[str, str]]", row[11]))
    return Entry(*row)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


class Change(NamedTuple):
    """One difference between two layers. ``before`` or ``after`` is None where the path is not there."""

    path: str
    before: Entry | None
    after: Entry | None


def compare_tables(before: Table, after: Table) -> Iterator[Change]:
    """What differs, in the order of the paths. Where the content lies in the tar does not count."""
    old = {entry.path: entry for entry in before.entries}
    new = {entry.path: entry for entry in after.entries}
    for path in sorted(old.keys() | new.keys()):
        left, right = old.get(path), new.get(path)
        if left is None or right is None or left._replace(offset=0) != right._replace(offset=0):
            yield Change(path, left, right)
