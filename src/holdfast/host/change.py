"""A change to a machine, planned and not yet made: what people are shown, and what the journal holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal

from holdfast.base.codec import JSON, DecodeError, canonical_json, decode, encode
from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.nodes import Node
from holdfast.host.packages.change import PackageChange, PackageResult
from holdfast.host.packages.wanted import WantedPackages
from holdfast.host.state import State
from holdfast.host.steps import Step
from holdfast.manifest.document import read_manifest
from holdfast.manifest.model import Manifest

ChangeKind = Literal[
    "switch",
    "rollback",
    "repair",
    "adopt",
    "deactivate",
    "prepopulate",
    "activate",
    "boot",
    "try",
]


def supersedes(kind: ChangeKind) -> bool:
    """Whether nothing waits for the next boot any more afterwards: what only puts right what is current, or accepts it, chooses nothing."""
    return kind not in ("adopt", "repair")


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

    def origin(self) -> bytes:
        """All but the manifest, as it is kept beside that one in ``wanted.json``."""
        document = encode(self)
        assert isinstance(document, dict)
        return canonical_json({key: value for key, value in document.items() if key != "manifest"})


def read_wanted(manifest: bytes, origin: bytes | None, *, what: str) -> Wanted:
    """A generation as it is kept. One that was made in an image has no origin.

    Raises:
        HoldfastError: it is damaged; ``what`` names it.
    """
    try:
        document: JSON = json.loads(origin) if origin else {}
    except ValueError as error:
        raise DecodeError(f"{what} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise DecodeError(f"{what} must be an object")
    read = read_manifest(manifest, what=what)
    return replace(decode(Wanted, {**document, "manifest": _BLANK}, what=what), manifest=read)


_BLANK: JSON = {
    "schema": 1,
    "name": "",
    "distribution": {"family": "", "release": "", "architecture": ""},
    "identity": {"hostname": ""},
}


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
    brought: PackageResult | None = None
    """What the change of packages brought, once it is made; ``stale`` are then those that none of the steps restarted."""
    problems: tuple[str, ...] = ()
    """Why it would be refused: of packages, and of the definition's own checks, as far as they were run."""

    @property
    def empty(self) -> bool:
        """Nothing is to be done: the machine is as it is wanted."""
        return not self.steps and (self.packages is None or self.packages.empty)


@dataclass(frozen=True)
class Prepared:
    """A change with the content that it needs and that is neither a blob nor kept on the machine."""

    change: Change
    contents: Mapping[Digest, bytes]
