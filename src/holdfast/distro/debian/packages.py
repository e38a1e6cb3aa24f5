"""Reading Packages indexes: 60 MB of text of which a system needs a thousandth, so most of it is never decoded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches

from holdfast.base.digests import Digest, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.distro.debian.deb822 import parse_paragraph

_NAME = re.compile(rb"^Package: *(\S+)", re.M)
_ESSENTIAL = re.compile(rb"^Essential: *yes", re.M)


@dataclass(frozen=True)
class Record:
    """One package in one index."""

    name: str
    version: str
    architecture: str
    path: str
    size: int
    sha256: Digest


def stanzas(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, whole stanza) of every package in the index."""
    for stanza in index.split(b"\n\n"):
        if stanza.startswith(b"Package: "):
            yield stanza[9:].split(b"\n", 1)[0].strip(), stanza
        elif (match := _NAME.search(stanza)) is not None:
            yield match[1], stanza


def essential_packages(index: bytes) -> tuple[str, ...]:
    """Names of the packages without which dpkg itself does not work (Debian policy section 3.8), sorted."""
    return tuple(sorted({name.decode() for name, stanza in stanzas(index) if _ESSENTIAL.search(stanza)}))


def find_records(index: bytes, names: Collection[str]) -> Iterator[Record]:
    """Every version of the named packages in the index."""
    wanted = {name.encode() for name in names}
    for name, stanza in stanzas(index):
        if name in wanted:
            yield parse_record(stanza.decode(errors="replace"))


def parse_record(stanza: str) -> Record:
    """One stanza of a Packages file.

    Raises:
        HoldfastError: a field is missing or unusable.
    """
    fields = parse_paragraph(stanza)
    try:
        path = fields["filename"].removeprefix("./")
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError(f"the file name {path!r} leaves the archive")
        return Record(
            fields["package"],
            fields["version"],
            fields["architecture"],
            path,
            int(fields["size"]),
            parse_digest(fields["sha256"].lower()),
        )
    except (KeyError, ValueError, HoldfastError) as error:
        reason = f"no field {error}" if isinstance(error, KeyError) else str(error)
        raise HoldfastError(
            f"the package index has an unusable entry for {fields.get('package', '(no name)')!r}: {reason}",
            resolution="Tell the repository's owner.",
        ) from None


def nearest_names(indexes: Iterable[bytes], name: str) -> list[str]:
    """Names of existing packages that look like ``name``."""
    names = {found.decode(errors="replace") for index in indexes for found, _ in stanzas(index)}
    if name.lower() in names:
        return [name.lower()]
    # difflib over 70,000 names takes seconds; those with the same first letter and a like length are a thousand.
    candidates = [
        other
        for other in names
        if abs(len(other) - len(name)) <= 2 and (other[:1] == name[:1] or other[-4:] == name[-4:])
    ]
    return get_close_matches(name, sorted(candidates), n=3, cutoff=0.7)
