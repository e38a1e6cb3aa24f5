"""Binary packages: an ar archive of two tars (deb(5)), unpacked once into the store and linked into systems from there.

A cached package lies in ``packages/<sha256 of the deb>/`` of the store: ``data/`` (its files), ``control/`` (scripts and
lists) and ``entries.json`` (what lies where, with owner, mode and time). Whoever uses it only links to it or reads it.
"""

from __future__ import annotations

import bz2
import json
import lzma
import mmap
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, cast

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.process import run
from holdfast.base.records import dataclass
from holdfast.distro.debian.deb822 import Paragraph, parse_paragraph
from holdfast.store.admission import Limits, admit
from holdfast.store.table import Entry
from holdfast.store.tar import read_members

_AR_MAGIC = b"!<arch>\n"
_IN_MEMORY = 192 << 20
"""A tar larger than this is decompressed into a file."""
_LARGEST = 32 << 30
_LIMITS = Limits()
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._\-]*")


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes: ...


@dataclass(frozen=True)
class Unpacked:
    """A package in the cache."""

    place: Path
    entries: tuple[Entry, ...]
    """Its files in the order of the package, paths relative; the root directory has the empty path."""
    control: Paragraph
    control_text: str
    control_files: tuple[str, ...]
    """Names in ``control/`` beside ``control`` itself, sorted."""

    @property
    def name(self) -> str:
        return self.control["package"]

    @property
    def info_name(self) -> str:
        """The package's name in ``/var/lib/dpkg/info``, with the architecture where several may be installed."""
        if self.control.get("multi-arch") == "same":
            return f"{self.name}:{self.control['architecture']}"
        return self.name

    def data(self, path: str) -> Path:
        return self.place / "data" / path

    def control_file(self, name: str) -> str | None:
        """Text of ``control/NAME``; None when the package has none."""
        if name not in self.control_files:
            return None
        return (self.place / "control" / name).read_text(errors="surrogateescape")


def unpack(deb: Path, place: Path, *, what: str) -> None:
    """Unpack the package file ``deb`` into the empty directory ``place``, in the form of the cache.

    Raises:
        HoldfastError: it is damaged or hostile (names outside the root, devices, bombs), or cannot be written. What is
            in ``place`` then is worthless.
    """
    try:
        control, data = _members(deb)
        with explain_os_errors(f"unpack {what}"):
            files = _unpack_control(control, place / "control")
            with _tar(*data) as tar:
                entries = admit(
                    (entry for entry, _ in read_members(tar, max_entries=_LIMITS.entries)), _LIMITS
                )
                _write_entries(tar, entries, place / "data")
            _check_names(place / "control", files)
            record = {"control": files, "entries": entries}
            (place / "entries.json").write_text(json.dumps(record, separators=(",", ":")))
    except (lzma.LZMAError, zlib.error, EOFError, ValueError, KeyError) as error:
        raise HoldfastError(f"the package {what} is damaged: {error}") from None
    except HoldfastError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise HoldfastError(
            f"the package {what} cannot be unpacked: {error.brief}",
            details=error.details,
            resolution="Do not use this package.",
        ) from None


def load(place: Path) -> Unpacked | None:
    """The cached package at ``place``; None when there is none or a power cut left it incomplete."""
    try:
        record = cast("dict[str, object]", json.loads((place / "entries.json").read_bytes()))
        entries = tuple(_entry(row) for row in cast("list[list[object]]", record["entries"]))
        files = cast("dict[str, int]", record["control"])
        data = f"{place}/data/"
        for entry in entries:
            if entry.kind == "file" and os.lstat(data + entry.path).st_size != entry.size:
                return None
        # A script that lost its content would still run, as an empty one, and succeed.
        for name, size in files.items():
            if os.lstat(f"{place}/control/{name}").st_size != size:
                return None
        text = (place / "control/control").read_text(errors="surrogateescape")
        others = tuple(sorted(name for name in files if name != "control"))
        return Unpacked(place, entries, parse_paragraph(text), text, others)
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _entry(row: list[object]) -> Entry:
    row[10] = tuple(cast("list[int]", row[10]))
    row[11] = tuple((name, value) for name, value in cast("list[tuple[str, str]]", row[11]))
    return Entry(*row)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def _members(deb: Path) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """Compression and bytes of control.tar and data.tar."""
    found: dict[str, tuple[str, bytes]] = {}
    with deb.open("rb") as stream:
        if stream.read(8) != _AR_MAGIC:
            raise ValueError("it is no ar archive")
        while header := stream.read(60):
            if len(header) < 60 or header[58:60] != b"`\n":
                raise ValueError("a header of the ar archive is damaged")
            name = header[:16].decode("ascii").rstrip().removesuffix("/")
            size = int(header[48:58])
            content = stream.read(size)
            if len(content) != size:
                raise ValueError("it is cut off")
            stream.read(size % 2)
            for part in ("control.tar", "data.tar"):
                if name.startswith(part):
                    found[part] = (name[len(part) :], content)
    return found["control.tar"], found["data.tar"]


@contextmanager
def _tar(suffix: str, content: bytes) -> Generator[bytes | mmap.mmap]:
    """The uncompressed tar, in memory or in a nameless file, during the body."""
    tar = _decompress(suffix, content)
    try:
        yield tar
    finally:
        if isinstance(tar, mmap.mmap):
            tar.close()


def _decompress(suffix: str, content: bytes) -> bytes | mmap.mmap:
    if suffix == "":
        return content
    if suffix == ".zst":
        return run(["zstd", "-dcq"], stdin=content).stdout
    if suffix not in _DECOMPRESSORS:
        raise ValueError(f"its compression {suffix!r} is unknown")
    decompressor = _DECOMPRESSORS[suffix]()
    text = decompressor.decompress(content, _IN_MEMORY)
    if decompressor.eof:
        return text
    with tempfile.TemporaryFile(dir="/var/tmp") as spool:
        total = spool.write(text)
        while not decompressor.eof:
            text = decompressor.decompress(b"", 16 << 20)
            if not text:
                raise ValueError("its compressed data is cut off")
            total += spool.write(text)
            if total > _LARGEST:
                raise ValueError(f"it unpacks to more than {_LARGEST >> 30} GiB")
        spool.flush()
        return mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ)


class _Gzip:
    """zlib's decompressor with the manners of the other two."""

    def __init__(self) -> None:
        self._state = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._state.eof

    def decompress(self, data: bytes, max_length: int = -1, /) -> bytes:
        return self._state.decompress(self._state.unconsumed_tail + data, max(max_length, 0))


_DECOMPRESSORS: Mapping[str, Callable[[], _Decompressor]] = {
    ".xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ),
    ".lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE),
    ".gz": lambda: _Gzip(),
    ".bz2": lambda: bz2.BZ2Decompressor(),
}


def _unpack_control(member: tuple[str, bytes], place: Path) -> dict[str, int]:
    """Names and sizes of the control files."""
    place.mkdir()
    sizes: dict[str, int] = {}
    with _tar(*member) as tar:
        for entry in admit((entry for entry, _ in read_members(tar, max_entries=1000)), _LIMITS):
            if entry.kind == "directory" and not entry.path:
                continue
            if entry.kind != "file" or "/" in entry.path:
                raise ValueError(f"its control archive has {entry.path!r}, which is no plain file")
            target = place / entry.path
            target.write_bytes(tar[entry.offset : entry.offset + entry.size])
            target.chmod(entry.mode)
            os.utime(target, (entry.mtime, entry.mtime))
            sizes[entry.path] = entry.size
    return sizes


def is_name(text: str) -> bool:
    """Whether dpkg takes ``text`` for a package's or a trigger's name (policy section 5.6.1). It becomes part of file names."""
    return _NAME.fullmatch(text) is not None


def _check_names(place: Path, files: Mapping[str, int]) -> None:
    if "control" not in files:
        raise ValueError("it has no control file")
    paragraph = parse_paragraph((place / "control").read_text(errors="surrogateescape"))
    for field in ("package", "architecture"):
        if not is_name(paragraph[field]):
            raise ValueError(f"its field {field.capitalize()} is {paragraph[field]!r}")


def _write_entries(tar: bytes | mmap.mmap, entries: Sequence[Entry], place: Path) -> None:
    """Write admitted entries below ``place``, which nobody else has: no name in them leads out or through a link.

    Directories get no metadata here; whoever composes a system takes that from the entries.
    """
    place.mkdir()
    root = os.geteuid() == 0
    prefix = f"{place}/"
    view = memoryview(tar)
    made = {""}
    try:
        for entry in entries:
            path = prefix + entry.path
            parent = entry.path.rpartition("/")[0]
            if parent not in made:
                Path(prefix + parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            if entry.kind == "directory":
                if entry.path not in made:
                    os.mkdir(path)  # noqa: PTH102 - a path object per file would take as long as the rest
                    made.add(entry.path)
            elif entry.kind == "file":
                _write_file(path, entry, view[entry.offset : entry.offset + entry.size], root=root)
            elif entry.kind == "hardlink":
                os.link(prefix + entry.target, path, follow_symlinks=False)
            elif entry.kind == "symlink":
                os.symlink(entry.target, path)  # noqa: PTH211
                if root and (entry.uid or entry.gid):
                    os.lchown(path, entry.uid, entry.gid)
                os.utime(path, (entry.mtime, entry.mtime), follow_symlinks=False)
            else:
                raise ValueError(f"it has {entry.path!r}, a {entry.kind}")
    finally:
        view.release()


def _write_file(path: str, entry: Entry, content: memoryview, *, root: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        if root and (entry.uid or entry.gid):
            os.fchown(descriptor, entry.uid, entry.gid)
        os.fchmod(descriptor, entry.mode)
        for name, value in entry.xattrs:
            os.setxattr(descriptor, name, bytes.fromhex(value))
        os.utime(descriptor, (entry.mtime, entry.mtime))
    finally:
        os.close(descriptor)
