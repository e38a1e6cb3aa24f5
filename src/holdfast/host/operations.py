"""What can be done to a machine: the verbs of the command, each with a typed result.

Every one of them first recovers what a crash left behind, except those that only look.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from holdfast.base.digests import Digest
from holdfast.host.change import Change
from holdfast.host.nodes import Node


@dataclass(frozen=True)
class SwitchOptions:
    wait_seconds: float = 0.0
    """How long another run is waited for."""
    confirm_seconds: int | None = None
    """Take the change back unless ``confirm`` comes within so many seconds."""
    irreversible_packages: bool = False
    """Go on where the old packages cannot be had any more."""


@dataclass(frozen=True)
class Recovered:
    """What was found of a run that did not end, and what became of it."""

    kind: Literal["finished", "undone"]
    generation: int | None
    """Current now."""
    what: str
    """The run in words: ``switch to generation 4``."""


@dataclass(frozen=True)
class SwitchResult:
    """What a command did. Nothing when ``change.empty``."""

    change: Change
    recovered: Recovered | None = None


@dataclass(frozen=True)
class Drift:
    """One managed path that is not as it was put there."""

    path: str
    what: Literal["changed", "missing", "metadata", "other"]
    """Content; gone; mode or owner; something of another kind is there."""
    wanted: Node
    found: Node


@dataclass(frozen=True)
class Generation:
    number: int
    manifest: Digest
    name: str
    """Of the system, as its definition calls it."""
    current: bool = False
    pending: bool = False
    """It becomes current at the next boot."""
    artifact: Digest | None = None


@dataclass(frozen=True)
class Status:
    generation: int | None
    """None: Holdfast manages nothing here."""
    name: str = ""
    manifest: Digest | None = None
    drift: tuple[Drift, ...] = ()
    adopted: tuple[str, ...] = ()
    """Paths whose content on this machine was accepted in place of the definition's."""
    pending: int | None = None
    """Generation that waits for the next boot."""
    unconfirmed: bool = False
    """The current generation is taken back unless it is confirmed."""
    interrupted: str = ""
    """A run that did not end: what it was to do. The next command that changes something recovers from it."""
    generations: tuple[Generation, ...] = field(default_factory=tuple)
