"""System uids and gids: which ones maintainer scripts gave out, and giving them the numbers that the lock has.

Maintainer scripts make accounts in three ways (adduser, systemd-sysusers, useradd), each of which takes the next free number;
so the numbers depend on the order of configuration. Holdfast lets them, which leaves every home, shell and shadow entry
exactly as the distribution makes it, and then renumbers the finished tree: account databases and the owners of files (ADR 0008).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from holdfast.base.atomic import write_atomically
from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.errors import HoldfastError
from holdfast.distro.debian import within
from holdfast.distro.debian.compose import copy
from holdfast.distro.lockfile import Ids
from holdfast.sandbox.mounts import resolve_inside

FIRST_DYNAMIC = 100
"""Below are the ids that base-passwd gives for ever (Debian policy section 9.2.2)."""
NOBODY = 65534


def read_ids(root: Path) -> Ids:
    """The ids in the tree's account databases that are not Debian's fixed ones."""
    return Ids(users=_dynamic(root, "/etc/passwd"), groups=_dynamic(root, "/etc/group"))


def extend(pinned: Ids, found: Ids) -> Ids:
    """``pinned`` and, for every name in ``found`` that it lacks, the id found or, where that is taken, the next free one.

    Append-only: nothing in ``pinned`` changes, nothing is given twice. A user and a group of one name share a number
    where they did in ``found`` and both are new.
    """
    users, groups = dict(pinned.users), dict(pinned.groups)
    new = sorted({*found.users, *found.groups}, key=lambda name: (_first(found, name), name))
    for name in new:
        user, group = found.users.get(name), found.groups.get(name)
        if name not in users and name not in groups and user is not None and user == group:
            number = _free(user, {*users.values(), *groups.values()})
            users[name] = groups[name] = number
            continue
        if user is not None and name not in users:
            users[name] = _free(user, set(users.values()))
        if group is not None and name not in groups:
            groups[name] = _free(group, set(groups.values()))
    return Ids(users, groups)


def settle(root: Path, found: Ids, pinned: Ids) -> None:
    """Renumber the tree, which has the ids ``found``, so that every account has its pinned id.

    Raises:
        HoldfastError: the tree has an account that ``pinned`` does not know.
    """
    unknown = [
        *(f"user {name}" for name in found.users if name not in pinned.users),
        *(f"group {name}" for name in found.groups if name not in pinned.groups),
    ]
    if unknown:
        raise HoldfastError(
            f"the packages create accounts whose ids are not in the lock: {', '.join(unknown)}",
            resolution="Run `holdfast lock`, which gives them ids.",
        )
    users = {number: pinned.users[name] for name, number in found.users.items()}
    groups = {number: pinned.groups[name] for name, number in found.groups.items()}
    users = {old: new for old, new in users.items() if old != new}
    groups = {old: new for old, new in groups.items() if old != new}
    if not users and not groups:
        return
    _rewrite(resolve_inside(root, "/etc/passwd"), {2: users, 3: groups})
    _rewrite(resolve_inside(root, "/etc/group"), {2: groups})
    _change_owners(root, users, groups)


def _dynamic(root: Path, path: str) -> dict[str, int]:
    fields = (line.split(":") for line in (within.read(root, path) or "").splitlines())
    return {
        words[0]: int(words[2])
        for words in fields
        if len(words) > 2
        and words[2].isdigit()
        and FIRST_DYNAMIC <= int(words[2]) != NOBODY
        and not 60000 <= int(words[2]) <= 64999  # also fixed, given out by base-passwd's maintainers
    }


def _first(found: Ids, name: str) -> int:
    return found.users.get(name, found.groups.get(name, 0))


def _free(number: int, taken: set[int]) -> int:
    if number not in taken:
        return number
    candidates = chain(range(999, FIRST_DYNAMIC - 1, -1), range(1000, 60000))
    return next(candidate for candidate in candidates if candidate not in taken)


def _rewrite(path: Path, columns: Mapping[int, Mapping[int, int]]) -> None:
    lines: list[str] = []
    for line in path.read_text(errors="surrogateescape").splitlines():
        words = line.split(":")
        for column, numbers in columns.items():
            if len(words) > column and words[column].isdigit():
                words[column] = str(numbers.get(int(words[column]), int(words[column])))
        lines.append(":".join(words) + "\n")
    data = "".join(lines).encode(errors="surrogateescape")
    write_atomically(path, data, mode=stat.S_IMODE(path.stat().st_mode), durable=False)


def _change_owners(root: Path, users: Mapping[int, int], groups: Mapping[int, int]) -> None:
    pending = [str(root)]
    while pending:
        directory = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                _change_owner(entry.path, status, users, groups)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(entry.path)


def _change_owner(
    path: str, status: os.stat_result, users: Mapping[int, int], groups: Mapping[int, int]
) -> None:
    if status.st_uid not in users and status.st_gid not in groups:
        return
    if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:  # shared with the package cache
        copy(path, f"{path}.holdfast-own")
        os.rename(f"{path}.holdfast-own", path)  # noqa: PTH104
    kept: dict[str, bytes] = {}
    if stat.S_ISREG(status.st_mode):
        kept = {name: os.getxattr(path, name) for name in os.listxattr(path) if name == "security.capability"}
    os.chown(
        path,
        users.get(status.st_uid, status.st_uid),
        groups.get(status.st_gid, status.st_gid),
        follow_symlinks=False,
    )
    if not stat.S_ISLNK(status.st_mode):  # chown(2) takes setuid, setgid and capabilities away
        os.chmod(path, stat.S_IMODE(status.st_mode))  # noqa: PTH101
        for name, value in kept.items():
            os.setxattr(path, name, value)


def remember(path: Path, found: Ids) -> None:
    """Keep what a trial run found, for the next time the same packages are asked about."""
    write_atomically(path, canonical_json(found), durable=False)


def recall(path: Path) -> Ids | None:
    """What :func:`remember` kept; None when there is nothing usable."""
    try:
        return decode_json(Ids, path.read_bytes(), what="ids")
    except (OSError, HoldfastError):
        return None
