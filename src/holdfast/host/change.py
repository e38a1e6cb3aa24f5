"""A change to a machine, planned and not yet made: what people are shown, and what the journal holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from holdfast.base.digests import Digest
from holdfast.host.accounts import Ids
from holdfast.host.nodes import Node
from holdfast.host.packages.change import PackageChange
from holdfast.host.packages.wanted import WantedPackages
from holdfast.host.state import State
from holdfast.host.steps import Step
from holdfast.manifest.model import Manifest

ChangeKind = Literal[
    "switch", "rollback", "repair", "adopt", "deactivate", "prepopulate", "activate", "register", "boot"
]


@dataclass(frozen=True)
class Wanted:
    """What a machine is to become: all that a generation is."""

    manifest: Manifest
    ids: Ids = field(default_factory=Ids)
    """Locked ids of accounts that are to be made."""
    artifact: Digest | None = None
    """The OCI artifact that it came in, if it came in one: what a store must keep for as long as the generation is there."""
    packages: WantedPackages | None = None
    """The locked packages; None where nothing is locked for it."""


@dataclass(frozen=True)
class FileChange:
    """One path, for people: what becomes of it and why."""

    path: str
    before: Node
    after: Node
    reason: str
    drifted: bool = False
    """It was ours and somebody changed it by hand since."""
    diff: str = ""
    """Unified difference of the text; empty when nothing of it changes, or it is not to be shown."""
    hidden: Literal["", "binary", "secret", "large"] = ""
    """Why there is no ``diff`` although content changes."""


@dataclass(frozen=True)
class Change:
    """Everything that a command would do, in order. No steps: nothing is to be done."""

    kind: ChangeKind
    previous: int | None
    """The generation that is current now."""
    generation: int | None
    """The one that is current afterwards; None after ``deactivate``."""
    steps: tuple[Step, ...]
    files: tuple[FileChange, ...]
    before: State | None
    after: State | None
    transaction: str = ""
    """Names what is staged for it, and marks the state that it leaves."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    packages: PackageChange | None = None
    """What comes before the steps. While it is not empty, the rest is planned without knowing what packages bring."""

    @property
    def empty(self) -> bool:
        """Nothing is to be done: the machine is as it is wanted."""
        return not self.steps


@dataclass(frozen=True)
class Prepared:
    """A change with the content that it needs and that is neither a blob nor kept on the machine."""

    change: Change
    contents: Mapping[Digest, bytes]
