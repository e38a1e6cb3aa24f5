"""From an evaluation to artifacts in the store: contents in, lock checked, systems built, names set."""

from __future__ import annotations

import time
from pathlib import Path

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message, stage
from holdfast.base.records import dataclass
from holdfast.build.system import build_system
from holdfast.distro.lockfile import Lock, read_lock
from holdfast.manifest.contents import AuthorFile, Download
from holdfast.project.downloads import store_downloads
from holdfast.project.evaluation import EvaluatedSystem, Evaluation
from holdfast.project.keeping import keep_locked, system_ref
from holdfast.project.locking import lock_project, locked_accounts, locked_set
from holdfast.store import Artifact, Store


@dataclass(frozen=True)
class Built:
    """One system in the store."""

    name: str
    ref: str
    manifest: Digest
    """Digest of the holdfast manifest it was built from."""
    artifact: Artifact
    seconds: float


def build_systems(store: Store, evaluation: Evaluation) -> tuple[Built, ...]:
    """Build every evaluated system. Without a lock file one is made for them; a stale one is an error.

    Raises:
        HoldfastError: the lock does not cover a system, packages cannot be had, a build step fails.
    """
    lock = ensure_lock(store, evaluation)
    # Before the first build: a stale lock should not be found out minutes later.
    locked = {
        system.name: (locked_set(lock, system.manifest), locked_accounts(lock, system.manifest))
        for system in evaluation.systems
    }
    store_downloads(
        store,
        {
            system.name: [content for content in system.contents if isinstance(content, Download)]
            for system in evaluation.systems
        },
    )
    built: list[Built] = []
    for system in evaluation.systems:
        began = time.monotonic()
        store_contents(store, system)
        with stage(f"Building {system.name}") as progress:
            artifact = build_system(store, system.manifest, *locked[system.name])
            progress.note = artifact.identity.removeprefix("sha256:")[:12]
        ref = system_ref(evaluation.file, system.name)
        store.refs.set(ref, artifact.manifest)
        built.append(Built(system.name, ref, system.digest, artifact, time.monotonic() - began))
    keep_locked(store, evaluation.lock_path, lock)
    return tuple(built)


def ensure_lock(store: Store, evaluation: Evaluation) -> Lock:
    """The project's lock; made for the evaluated systems when there is none at all."""
    path = evaluation.lock_path
    if not path.exists():
        rest = "" if evaluation.whole_project else f"; `holdfast lock` covers all of {evaluation.file.name}"
        names = ", ".join(system.name for system in evaluation.systems)
        message(f"There is no {path.name} yet: making one for {names}{rest}")
        lock_project(store, evaluation)
    return read_lock(path)


def store_contents(store: Store, system: EvaluatedSystem) -> None:
    """Put the author's files that the manifest names into the store, hashed again on the way.

    Raises:
        HoldfastError: one cannot be read, or is not what it was when the definition was evaluated.
    """
    for content in system.contents:
        if isinstance(content, AuthorFile) and not store.blobs.has(content.digest):
            _store_one(store, content, system.name)


def _store_one(store: Store, content: AuthorFile, name: str) -> None:
    with explain_os_errors(f"read {content.path} for the system {name}"):
        found = store.blobs.put_file(Path(content.path))
    if found != content.digest:
        raise HoldfastError(
            f"{content.path} changed while {name} was being built",
            details=f"When the definition was evaluated it was {content.digest}; now it is {found}.",
            resolution="Let the file come to rest, then run the command again.",
        )
