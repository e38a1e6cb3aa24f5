"""The order of Debian's version numbers (deb-version(7), Debian policy section 5.6.12)."""

from __future__ import annotations

import re

_PARTS = re.compile(r"(?P<text>\D*)(?P<number>\d*)")


def older(left: str, right: str) -> bool:
    """Whether ``left`` sorts before ``right``."""
    return sort_key(left) < sort_key(right)


def sort_key(version: str) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    """A value that sorts as the version does."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch) if epoch.isdigit() else 0, _key(upstream), _key(revision)


def _key(text: str) -> tuple[tuple[tuple[int, ...], int], ...]:
    """Alternating non-digit and digit parts; the end of a part sorts after ``~`` and before everything else."""
    parts: list[tuple[tuple[int, ...], int]] = []
    for match in _PARTS.finditer(text):
        if match[0]:
            parts.append(((*(_order(letter) for letter in match["text"]), 0), int(match["number"] or 0)))
    parts.append(((0,), 0))
    return tuple(parts)


def _order(letter: str) -> int:
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256
