"""A step of a build: what it does, by name, and the digests that decide what comes out (pure)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import field
from importlib import resources
from importlib.resources.abc import Traversable

from holdfast.base.codec import canonical_json
from holdfast.base.digests import Digest, digest_bytes, hex_of, parse_digest
from holdfast.base.records import dataclass


@dataclass(frozen=True)
class Step:
    """Equal steps have equal results, on any machine and in any year."""

    name: str
    """``system``, ``configuration``: also the beginning of its cache key, for people who look."""
    inputs: Mapping[str, str]
    """Digests, or short values that decide the result."""
    tools: Mapping[str, str] = field(default_factory=lambda: {})
    """What does the work, by digest: other tools may give other results."""

    @property
    def digest(self) -> Digest:
        return digest_bytes(canonical_json(self))

    @property
    def key(self) -> str:
        """The step's name in the build cache."""
        return f"{self.name}-{hex_of(self.digest)}"


@functools.cache
def code_digest(*packages: str) -> Digest:
    """Digest of the source of our own packages: a step that is our code has that code among its tools.

    A version number that somebody must remember to raise would be forgotten.
    """
    state = hashlib.sha256()
    for package in sorted(packages):
        for name, data in _sources(resources.files(package), package):
            state.update(f"{name} {len(data)}\n".encode())
            state.update(data)
    return parse_digest(state.hexdigest())


def _sources(place: Traversable, name: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(place.iterdir(), key=lambda entry: entry.name):
        inner = f"{name}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            found += _sources(entry, inner)
        elif entry.name.endswith(".py"):
            found.append((inner, entry.read_bytes()))
    return found
