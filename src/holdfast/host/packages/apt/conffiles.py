"""Conffiles that the definition manages: ours to write; the package's own version is what comes back when the entry goes.

dpkg, told to keep what is there, puts the new version of a changed conffile beside it (``.dpkg-dist``), as ucf(1) does.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from holdfast.base.atomic import write_atomically
from holdfast.base.digests import digest_bytes, hex_of
from holdfast.host.files.nodes import Absent, File, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.packages.apt.database import Database
from holdfast.host.packages.apt.facts import ConffileFacts
from holdfast.host.packages.change import Debris, NewConffile
from holdfast.host.state import KEPT, STATE, Managed, State, read_state

_BESIDE = (".dpkg-dist", ".ucf-dist", ".dpkg-new", ".dpkg-old", ".ucf-old")
_NEW = (".dpkg-dist", ".ucf-dist", ".dpkg-new")


def read_conffiles(
    root: RootDirectory, database: Database, state: State | None, declared: Iterable[str]
) -> ConffileFacts:
    """Look at the conffiles among what is managed, or about to be.

    Raises:
        OSError: one cannot be read.
    """
    managed, known = _managed(state)
    packaged: dict[str, str] = {}
    for path in sorted(database.conffiles.keys() & {*managed, *declared}):
        before = _before(root, path, managed.get(path))
        if (
            before is not None
            and hashlib.md5(before, usedforsecurity=False).hexdigest() == database.conffiles[path]
        ):
            packaged[path] = database.conffiles[path]
        elif path in known and path in managed:
            packaged[path] = known[path]
    ours = sorted(database.conffiles.keys() & managed.keys())
    return ConffileFacts(packaged, tuple(find_debris(root, ours)))


def _before(root: RootDirectory, path: str, managed: Managed | None) -> bytes | None:
    """Content of what was at ``path`` before it was managed."""
    if managed is None:
        return root.read(path)
    return root.read(f"{KEPT}/{hex_of(managed.before.digest)}") if isinstance(managed.before, File) else None


def find_debris(root: RootDirectory, managed: Iterable[str]) -> Iterable[Debris]:
    """What dpkg and ucf left beside managed files."""
    for path in managed:
        places = [path]
        located = root.locate(path)
        if isinstance(located.node, Symlink):  # dpkg follows it
            places.append(root.locate(path, follow=True).real)
        for place in places:
            for suffix in _BESIDE:
                found = root.locate(place + suffix).node
                if isinstance(found, File):
                    yield Debris(place + suffix, path, found, suffix in _NEW)


def settle(
    root: RootDirectory, path: Path, state: State | None, debris: Iterable[Debris]
) -> tuple[NewConffile, ...]:
    """Keep the new versions, and take them from beside the managed files.

    Raises:
        OSError: that cannot be done.
    """
    managed, packaged = _managed(state)
    settled: dict[str, NewConffile] = {}
    for one in debris:
        here = path / one.path.lstrip("/")
        if one.new and one.managed not in settled:
            data = here.read_bytes()
            kept = path / KEPT.lstrip("/") / hex_of(one.file.digest)
            kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if digest_bytes(data) == one.file.digest and not kept.exists():
                write_atomically(kept, data, mode=0o600)
            entry = managed.get(one.managed)
            before = entry.before if entry is not None else Absent()
            restored = isinstance(before, Absent) or one.managed in packaged
            file = (
                replace(one.file, mode=before.mode, uid=before.uid, gid=before.gid)
                if isinstance(before, File)
                else one.file
            )
            settled[one.managed] = NewConffile(
                one.managed, file, restored, _diff(root, one.managed, before, data)
            )
        here.unlink()
    return tuple(settled.values())


def clean(root: RootDirectory, path: Path, database: Database) -> None:
    """Remove what going back to an older package left beside managed files: what comes back for those is known already."""
    data = root.read(STATE)
    managed, _ = _managed(None if data is None else read_state(data))
    for one in find_debris(root, sorted(database.conffiles.keys() & managed.keys())):
        (path / one.path.lstrip("/")).unlink()


def put_back(path: Path, debris: Iterable[Debris]) -> None:
    """Undo :func:`settle` for what was there before the change."""
    for one in debris:
        kept = path / KEPT.lstrip("/") / hex_of(one.file.digest)
        here = path / one.path.lstrip("/")
        if one.new and kept.is_file() and not here.exists():
            write_atomically(here, kept.read_bytes(), mode=int(one.file.mode, 8))
            with suppress(OSError):
                os.chown(here, one.file.uid, one.file.gid)


def md5_of(path: Path, file: File) -> str:
    kept = path / KEPT.lstrip("/") / hex_of(file.digest)
    return hashlib.md5(kept.read_bytes(), usedforsecurity=False).hexdigest()


def _diff(root: RootDirectory, path: str, before: object, data: bytes) -> str:
    """What the package changed in its own file, as far as the old version is known; otherwise against what is there."""
    old = root.read(f"{KEPT}/{hex_of(before.digest)}") if isinstance(before, File) else root.read(path)
    was, now = (text.decode("utf-8", "replace").splitlines(keepends=True) for text in (old or b"", data))
    return "".join(difflib.unified_diff(was, now, f"{path} (before)", f"{path} (packaged now)"))


def _managed(state: State | None) -> tuple[Mapping[str, Managed], Mapping[str, str]]:
    """What is managed, and of which conffiles the packaged version was there before, by path."""
    return ({}, {}) if state is None else (state.paths, state.packages.conffiles)
