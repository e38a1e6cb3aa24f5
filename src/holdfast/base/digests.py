"""Content digests, always SHA-256, written ``sha256:<64 hex digits>`` as the OCI image specification does."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import BinaryIO, NewType

from holdfast.base.errors import HoldfastError

Digest = NewType("Digest", str)
"""``sha256:`` and 64 lower-case hexadecimal digits. Made by the functions below, nowhere else."""

_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
_CHUNK = 1 << 20


def parse_digest(text: str) -> Digest:
    """Check ``text`` and return it as a digest; the bare 64 digits are accepted too.

    Raises:
        HoldfastError: ``text`` is no SHA-256 digest.
    """
    candidate = text if text.startswith("sha256:") else f"sha256:{text}"
    if not _PATTERN.fullmatch(candidate):
        raise HoldfastError(
            f"{text!r} is not a SHA-256 digest", resolution="Write sha256: and 64 hexadecimal digits."
        )
    return Digest(candidate)


def hex_of(digest: Digest) -> str:
    """The 64 hexadecimal digits alone."""
    return digest[7:]


def digest_bytes(data: bytes) -> Digest:
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def digest_stream(stream: BinaryIO) -> Digest:
    """Digest of everything from the stream's position to its end."""
    state = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
    return Digest("sha256:" + state.hexdigest())


def digest_file(path: Path) -> Digest:
    with path.open("rb") as stream:
        return digest_stream(stream)
