"""The tar format, both ways: POSIX.1-2001 pax headers written, and read together with the GNU extensions in use.

Ours and not :mod:`tarfile`, for three reasons: it keeps no offsets of the contents it writes; Python 3.10 and Debian 12's
3.11 have no extraction filters, so that every member must be judged by our own rules anyhow
(:mod:`holdfast.store.admission`); and its headers take three to five times as long to write and two to three times to read.

Reference: pax(1p), "ustar Interchange Format" and "pax Header Block"; tar(5) of libarchive for ``SCHILY.xattr``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from holdfast.base.errors import HoldfastError
from holdfast.store.table import Entry, Kind

if TYPE_CHECKING:
    from mmap import mmap

BLOCK = 512
END = bytes(2 * BLOCK)
MAX_HEADER_BYTES = 1 << 20
"""Largest pax record block or GNU long name that is read."""

XATTR_PREFIX = b"SCHILY.xattr."
_KEPT_XATTRS = frozenset(
    {"security.capability", "security.ima", "system.posix_acl_access", "system.posix_acl_default"}
)

_TYPE_OF_KIND: Mapping[Kind, bytes] = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "char": b"3",
    "block": b"4",
    "directory": b"5",
    "fifo": b"6",
}
_KIND_OF_TYPE: Mapping[bytes, Kind] = {
    **{letter: kind for kind, letter in _TYPE_OF_KIND.items()},
    b"\0": "file",
    b"7": "file",
}


def keeps_xattr(name: str) -> bool:
    """Whether an extended attribute belongs into a layer: what the system means, not what this machine's kernel notes."""
    return name in _KEPT_XATTRS or (name.startswith("user.") and not name.startswith("user.overlay."))


def padding(size: int) -> int:
    """Bytes of zeros after ``size`` bytes of content."""
    return -size % BLOCK


def write_header(entry: Entry) -> bytes:
    """The header blocks of one member; its content (if any) and its padding follow."""
    name = os.fsencode(entry.path) if entry.path else b"."
    if entry.kind == "directory":
        name += b"/"
    target = os.fsencode(entry.target)
    records = _records(entry, name, target)
    pax = b""
    if records:
        body = b"".join(_record(key, value) for key, value in records)
        pax = (
            _block(b"././@PaxHeader", b"x", 0, 0, 0, len(body), 0, b"", (0, 0))
            + body
            + bytes(padding(len(body)))
        )
    letter = _TYPE_OF_KIND[entry.kind]
    return pax + _block(
        name, letter, entry.mode, entry.uid, entry.gid, entry.size, entry.mtime, target, entry.device
    )


def _records(entry: Entry, name: bytes, target: bytes) -> list[tuple[bytes, bytes]]:
    records: list[tuple[bytes, bytes]] = []
    if len(name) > 100 or not name.isascii():
        records.append((b"path", name))
    if len(target) > 100 or not target.isascii():
        records.append((b"linkpath", target))
    if entry.uid > 0o7777777:
        records.append((b"uid", b"%d" % entry.uid))
    if entry.gid > 0o7777777:
        records.append((b"gid", b"%d" % entry.gid))
    if entry.size > 0o77777777777:
        records.append((b"size", b"%d" % entry.size))
    if not 0 <= entry.mtime <= 0o77777777777:
        records.append((b"mtime", b"%d" % entry.mtime))
    for key, value in entry.xattrs:
        records.append((XATTR_PREFIX + os.fsencode(key), bytes.fromhex(value)))
    if not (_is_utf8(name) and _is_utf8(target)):
        records.insert(0, (b"hdrcharset", b"BINARY"))
    return records


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3  # the blank, "=" and the newline
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _block(
    name: bytes,
    letter: bytes,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime: int,
    target: bytes,
    device: tuple[int, int],
) -> bytes:
    # A number that does not fit stands in a pax record, and zero here.
    block = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0        %s%sustar\00000%s%07o\0%07o\0%s" % (
        name[:100].ljust(100, b"\0"),
        mode,
        uid if uid <= 0o7777777 else 0,
        gid if gid <= 0o7777777 else 0,
        size if size <= 0o77777777777 else 0,
        mtime if 0 <= mtime <= 0o77777777777 else 0,
        letter,
        target[:100].ljust(100, b"\0"),
        bytes(64),
        device[0],
        device[1],
        bytes(167),
    )
    return b"%s%06o\0 %s" % (block[:148], sum(block), block[156:])


def read_members(data: mmap | bytes, *, max_entries: int) -> Iterator[tuple[Entry, bytes]]:
    """Every member of a tar, with its raw name; files' ``sha256`` is still empty.

    The paths are as written (``./etc//passwd``): :mod:`holdfast.store.admission` judges and normalises them.

    Raises:
        HoldfastError: this is no tar, it is cut off, or it uses something that layers have no need of.
    """
    offset, end, count = 0, len(data), 0
    pending: dict[bytes, bytes] = {}
    while offset < end:
        block = data[offset : offset + BLOCK]
        if not block.strip(b"\0"):
            return
        _check_block(block, offset)
        letter = block[156:157]
        size = _number(block[124:136])
        if b"size" in pending and letter not in (b"x", b"g", b"L", b"K"):
            size = _decimal(pending[b"size"], offset)
        start = offset + BLOCK
        if size < 0 or start + (size if _has_content(letter) else 0) > end:
            raise _broken(offset, "its content is cut off")
        if letter in (b"x", b"g", b"L", b"K"):
            if size > MAX_HEADER_BYTES:
                raise _broken(offset, "its extended header is larger than 1 MiB")
            _note(pending, letter, bytes(data[start : start + size]), offset)
            offset = start + size + padding(size)
            continue
        count += 1
        if count > max_entries:
            raise HoldfastError(f"the layer has more than {max_entries} members")
        yield _member(block, pending, size, start, offset)
        pending = {}
        offset = start + (size + padding(size) if _has_content(letter) else 0)
    if pending:
        raise _broken(offset, "an extended header stands alone at its end")


def _has_content(letter: bytes) -> bool:
    return letter in (b"0", b"\0", b"7", b"x", b"g", b"L", b"K")


def _check_block(block: bytes, offset: int) -> None:
    if len(block) < BLOCK:
        raise _broken(offset, "it is cut off")
    stated = _number(block[148:156])
    if stated != sum(block) - sum(block[148:156]) + 8 * 32:
        raise _broken(offset, "a header's checksum is wrong")


def _note(pending: dict[bytes, bytes], letter: bytes, body: bytes, offset: int) -> None:
    if letter == b"L":
        pending[b"path"] = body.rstrip(b"\0")
    elif letter == b"K":
        pending[b"linkpath"] = body.rstrip(b"\0")
    elif letter == b"x":
        pending.update(_read_records(body, offset))
    elif any(key != b"comment" for key in _read_records(body, offset)):
        raise _broken(offset, "it has global pax records, which change the meaning of every member")


def _read_records(body: bytes, offset: int) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(body):
        blank = body.find(b" ", position, position + 20)
        digits = body[position:blank] if blank > 0 else b""
        if not digits.isdigit():
            raise _broken(offset, "a pax record is malformed")
        stop = position + int(digits)
        key, equals, value = body[blank + 1 : stop - 1].partition(b"=")
        if stop > len(body) or stop <= blank + 1 or body[stop - 1 : stop] != b"\n" or not equals:
            raise _broken(offset, "a pax record is malformed")
        records[key] = value
        position = stop
    return records


def _member(
    block: bytes, pending: Mapping[bytes, bytes], size: int, start: int, offset: int
) -> tuple[Entry, bytes]:
    name = pending.get(b"path") or _name(block)
    target = pending.get(b"linkpath") or block[157:257].split(b"\0", 1)[0]
    kind = _KIND_OF_TYPE.get(block[156:157])
    if kind is None or any(key.startswith(b"GNU.sparse.") for key in pending):
        raise _broken(offset, f"the member {os.fsdecode(name)!r} is of a type that layers have no need of")
    if kind == "file" and name.endswith(b"/"):
        kind = "directory"  # as tars older than POSIX wrote it
    is_file = kind == "file"
    is_device = kind in ("char", "block")
    return (
        Entry(
            path=os.fsdecode(name),
            kind=kind,
            mode=_number(block[100:108]) & 0o7777,
            uid=_decimal(pending[b"uid"], offset) if b"uid" in pending else _number(block[108:116]),
            gid=_decimal(pending[b"gid"], offset) if b"gid" in pending else _number(block[116:124]),
            mtime=_seconds(pending[b"mtime"], offset) if b"mtime" in pending else _number(block[136:148]),
            size=size if is_file else 0,
            offset=start if is_file and size else 0,
            target=os.fsdecode(target) if kind in ("symlink", "hardlink") else "",
            device=(_number(block[329:337]), _number(block[337:345])) if is_device else (0, 0),
            xattrs=_xattrs(pending) if kind in ("file", "directory") else (),
        ),
        name,
    )


def _name(block: bytes) -> bytes:
    name = block[:100].split(b"\0", 1)[0]
    if block[257:263] == b"ustar\0":
        prefix = block[345:500].split(b"\0", 1)[0]
        if prefix:
            return prefix + b"/" + name
    return name


def _xattrs(pending: Mapping[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for key, value in pending.items():
        if key.startswith(XATTR_PREFIX):
            name = os.fsdecode(key[len(XATTR_PREFIX) :])
            if keeps_xattr(name):
                found.append((name, value.hex()))
    return tuple(sorted(found))


def _number(field: bytes) -> int:
    if field[0] & 0x80:  # GNU base-256, for what octal digits cannot hold
        value = int.from_bytes(field, "big", signed=False) & ~(1 << (8 * len(field) - 1))
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        return value
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise HoldfastError(f"the tar is damaged: {field!r} is no octal number") from None


def _decimal(value: bytes, offset: int) -> int:
    if not value.isdigit() or len(value) > 20:
        raise _broken(offset, "a number in a pax record is malformed")
    return int(value)


def _seconds(value: bytes, offset: int) -> int:
    """Whole seconds, rounded down: pax times may have a fraction."""
    whole, _, fraction = value.partition(b".")
    if whole.startswith(b"-"):
        return -_decimal(whole[1:], offset) - (1 if fraction.strip(b"0") else 0)
    return _decimal(whole, offset)


def _broken(offset: int, why: str) -> HoldfastError:
    return HoldfastError(
        f"the tar is damaged or hostile at byte {offset}: {why}",
        resolution="Fetch or build the layer again.",
    )


def hash_content(data: mmap | bytes, entry: Entry) -> Entry:
    """The entry with the digest of its content."""
    view = memoryview(data)[entry.offset : entry.offset + entry.size]
    try:
        return entry._replace(sha256=hashlib.sha256(view).hexdigest())
    finally:
        view.release()
