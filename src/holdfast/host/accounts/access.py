"""Reading who can get into a machine besides what its account files say: ssh keys and sudoers(5)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from holdfast.host.accounts.tables import Accounts
from holdfast.host.accounts.ways_in import ADMIN_GROUPS, KEY_FILES, Access, holds_key, sudoers_in
from holdfast.host.files.nodes import Absent
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.state import State
from holdfast.manifest.model import Entry, Manifest, TextFile

_LONGEST = 1 << 20
"""Bytes of a file of keys that are read: it is its owner's, who can make it as large as they like."""
_SUDOERS = "/etc/sudoers"
_SUDOERS_D = "/etc/sudoers.d"


def read_access(root: RootDirectory, accounts: Accounts, manifest: Manifest, state: State | None) -> Access:
    """What :func:`holdfast.host.accounts.ways_in.lost_ways` judges by.

    Raises:
        OSError: the root cannot be read.
    """
    now, after = _sudoers(root, manifest, state)
    names = _of_interest(accounts, manifest, (*now, *after))
    paths = {
        posixpath.join(record[5], file)
        for record in accounts.passwd.records()
        if record[0] in names and record[5] not in ("", "/nonexistent")
        for file in KEY_FILES
    }
    keys = frozenset(path for path in paths if holds_key(root.read(path, at_most=_LONGEST)))
    user, at, _ = (manifest.target or "").rpartition("@")
    return Access(
        keys,
        frozenset(path for path in paths if _key_after(path, path in keys, manifest.files, state)),
        now,
        after,
        user if at else None,
    )


def _of_interest(accounts: Accounts, manifest: Manifest, sudoers: Iterable[str]) -> set[str]:
    names = {"root", *manifest.users, *(entry for entry in sudoers if not entry.startswith("%"))}
    groups = {*ADMIN_GROUPS, *(entry[1:] for entry in sudoers if entry.startswith("%"))}
    gids = {str(gid) for name, gid in accounts.gids().items() if name in groups}
    names |= {member for group in groups for member in accounts.members(group)}
    return names | {record[0] for record in accounts.passwd.records() if record[3] in gids}


def _key_after(path: str, now: bool, files: Mapping[str, Entry], state: State | None) -> bool:
    declared = files.get(path)
    if declared is not None:
        return not isinstance(declared, TextFile) or holds_key(declared.text.encode())
    managed = state.paths.get(path) if state else None
    return now if managed is None else not isinstance(managed.before, Absent)


def _sudoers(
    root: RootDirectory, manifest: Manifest, state: State | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    paths = [_SUDOERS, *(f"{_SUDOERS_D}/{name}" for name in root.scan(_SUDOERS_D) if _counts(name))]
    texts = {path: data.decode("utf-8", "replace") for path in paths if (data := root.read(path)) is not None}
    after = {path: text for path, text in texts.items() if not _goes(path, state)}
    for path, entry in manifest.files.items():
        if isinstance(entry, TextFile) and (path == _SUDOERS or posixpath.dirname(path) == _SUDOERS_D):
            after[path] = entry.text
    return sudoers_in(texts.values()), sudoers_in(after.values())


def _goes(path: str, state: State | None) -> bool:
    managed = state.paths.get(path) if state else None
    return managed is not None and isinstance(managed.before, Absent)


def _counts(name: str) -> bool:
    """Whether sudo reads the file: see sudoers(5), "Including other files"."""
    return "." not in name and not name.endswith("~")
