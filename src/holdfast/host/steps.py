"""The steps of a change, as data: what a journal holds, and what can be done, done again, and taken back.

Doing and undoing are idempotent: after a crash nobody knows whether the step under way was done. A step whose ``undo`` has to
come after the undoing of later steps (units can only be restarted with their old files when those are back) stands before them:
steps are undone in reverse order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, Union

from holdfast.base.records import dataclass
from holdfast.host.files.actions import Action
from holdfast.host.files.nodes import Node, Secret
from holdfast.manifest.model import Health, Task


@dataclass(frozen=True)
class UnitJob:
    """One thing to do to one unit."""

    unit: str
    verb: Literal["start", "stop", "restart", "reload"]
    reason: str
    user: str | None = None
    """Whose user manager has the unit; None for the system's."""


@dataclass(frozen=True)
class RunUnits:
    """Jobs that systemd is to do, all at once, in its own order; a failed job fails the step and shows its journal."""

    jobs: tuple[UnitJob, ...] = ()
    undo: tuple[UnitJob, ...] = ()
    """Jobs that take it back. A step with these alone does nothing on the way forward."""
    kind: Literal["units"] = "units"


@dataclass(frozen=True)
class ReloadManager:
    """systemctl daemon-reload, on the way forward or on the way back: after the files have changed in either direction."""

    when: Literal["do", "undo"]
    users: tuple[str, ...] = ()
    """Whose user managers read their units anew, too."""
    system: bool = True
    """The system's own manager does."""
    kind: Literal["reload-manager"] = "reload-manager"


@dataclass(frozen=True)
class ChangeFiles:
    """Files, links and directories: staged beside their places, made durable by one syncfs(2), then renamed."""

    actions: tuple[Action, ...]
    kind: Literal["files"] = "files"


@dataclass(frozen=True)
class Layer:
    """A directory that is covered by itself with changes laid over it."""

    directory: str
    place: str
    """Where the changes are."""


@dataclass(frozen=True)
class Piece:
    """One path of a trial."""

    path: str
    """As the definition has it."""
    place: str
    """Where it really is made."""
    node: Node
    how: Literal["run", "bind", "layer"]
    """Put into /run, mounted over what is there, or part of a layer."""
    attributes: Mapping[str, str] = field(default_factory=lambda: {})


@dataclass(frozen=True)
class CoverFiles:
    """Files for a trial, see :mod:`holdfast.host.files.covering`: nothing on the disk changes."""

    pieces: tuple[Piece, ...]
    layers: tuple[Layer, ...]
    kind: Literal["cover"] = "cover"


@dataclass(frozen=True)
class DecryptSecret:
    """A file that is decrypted here, on the way forward or on the way back; no copy of its content is kept.

    ``do`` comes after files: it decrypts, and taking it back removes the file. ``undo`` comes before them: it does nothing, and
    taking it back decrypts what was there before the change.
    """

    path: str
    source: str
    """Digest of the encrypted blob."""
    encryption: Literal["age", "sops"]
    identities: tuple[str, ...]
    mode: str
    uid: int
    gid: int
    when: Literal["do", "undo"] = "do"
    noted: bool = True
    """Its keyed hash is recorded, see :mod:`holdfast.host.secret_marks`; not that of a trial, of which nothing is to be on the disk."""
    kind: Literal["secret"] = "secret"


def decrypt_step(path: str, secret: Secret, when: Literal["do", "undo"]) -> DecryptSecret:
    return DecryptSecret(
        path,
        secret.source,
        secret.encryption,
        secret.identities,
        secret.mode,
        secret.uid,
        secret.gid,
        when,
    )


@dataclass(frozen=True)
class SetSysctl:
    """Kernel parameters, with the values they had."""

    values: Mapping[str, str]
    before: Mapping[str, str]
    kind: Literal["sysctl"] = "sysctl"


@dataclass(frozen=True)
class LoadModules:
    """modprobe(8) for those that were not loaded; undone by removing them where nothing uses them."""

    modules: tuple[str, ...]
    kind: Literal["modules"] = "modules"


@dataclass(frozen=True)
class CreateTmpfiles:
    """systemd-tmpfiles --create for our file, where it changed; undone after the old file is back by a step before."""

    when: Literal["do", "undo"] = "do"
    made: Mapping[str, str] = field(default_factory=lambda: {})
    """What it makes that was not there before: it goes when this is undone."""
    kind: Literal["tmpfiles"] = "tmpfiles"


@dataclass(frozen=True)
class RunTasks:
    """Declared one-time commands that run, and those that were dropped, which are undone; taken back, it is the other way round."""

    tasks: Mapping[str, Task] = field(default_factory=lambda: {})
    dropped: Mapping[str, Task] = field(default_factory=lambda: {})
    kind: Literal["tasks"] = "tasks"


@dataclass(frozen=True)
class RunHooks:
    """Commands of the definition around a switch."""

    commands: tuple[tuple[str, ...], ...]
    when: Literal["before", "after"]
    kind: Literal["hooks"] = "hooks"


@dataclass(frozen=True)
class ProbeHealth:
    """Wait until every probe succeeds; fail at the deadline, or when units failed that had not before."""

    health: Health
    failed_before: tuple[str, ...]
    """Units that were in failed state before the change."""
    kind: Literal["probe"] = "probe"


@dataclass(frozen=True)
class Commit:
    """Record the generation: its manifest, the link to it and, last, the state: the rename of that one decides."""

    actions: tuple[Action, ...]
    kind: Literal["commit"] = "commit"


Step = Union[
    RunUnits,
    ReloadManager,
    ChangeFiles,
    CoverFiles,
    DecryptSecret,
    SetSysctl,
    LoadModules,
    CreateTmpfiles,
    RunTasks,
    RunHooks,
    ProbeHealth,
    Commit,
]
