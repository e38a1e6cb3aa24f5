"""Which accounts there shall be: declared users and groups merged into what a root has (pure).

Ids, in this order: what the root has already (never renumbered), what the definition says, the lock's ids table, what
this system recorded earlier, the first free one: people upwards from UID_MIN, system accounts downwards from SYS_UID_MAX, as
useradd(8) does. Accounts that nobody declared are not touched.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from holdfast.host.state import AccountRecord, State
from holdfast.host.tables import Accounts, Ranges, Record
from holdfast.manifest.model import Group, User

_NAME = re.compile(r"[a-z_][a-z0-9_.-]*\$?", re.ASCII)
NOLOGIN = "/usr/sbin/nologin"


@dataclass(frozen=True)
class Ids:
    """Pinned ids by name, from the lock."""

    users: Mapping[str, int] = field(default_factory=lambda: {})
    groups: Mapping[str, int] = field(default_factory=lambda: {})


@dataclass(frozen=True)
class Settled:
    """What came of it."""

    accounts: Accounts
    users: Mapping[str, AccountRecord]
    groups: Mapping[str, int]
    memberships: tuple[str, ...]
    problems: tuple[str, ...]

    def home(self, name: str) -> str:
        record = self.accounts.passwd.find(name)
        return record[5] if record else ""


def settle(
    before: Accounts,
    users: Mapping[str, User],
    groups: Mapping[str, Group],
    *,
    ids: Ids,
    ranges: Ranges,
    day: int,
    state: State | None,
) -> Settled:
    """Merge the declared accounts into ``before``. ``day`` (since 1970) dates password changes in shadow(5)."""
    work = _Settling(before, ids, ranges, day, state)
    for name, group in sorted(groups.items(), key=lambda item: (item[1].gid is None, item[0])):
        work.group(name, group.gid, group.system)
    private = {name for name, user in users.items() if user.group is None and name not in groups}
    work.reserve(users, private)
    for name, user in sorted(users.items(), key=lambda item: (item[1].uid is None, item[0])):
        work.user(name, user, private=name in private)
    work.join({f"{group}:{user}" for user, spec in users.items() for group in spec.groups})
    work.join({f"{group}:{member}" for group, spec in groups.items() for member in spec.members})
    work.leave()
    work.retire(users)
    return work.result()


class _Settling:
    """The tables while they grow; every method takes one decision."""

    def __init__(self, before: Accounts, ids: Ids, ranges: Ranges, day: int, state: State | None) -> None:
        self.now = before
        self.ids, self.ranges, self.day = ids, ranges, day
        self.old_users = dict(state.users) if state else {}
        self.old_groups = dict(state.groups) if state else {}
        self.old_memberships = set(state.memberships) if state else set[str]()
        self.users = dict(self.old_users)
        self.groups = dict(self.old_groups)
        self.memberships: set[str] = set()
        self.problems: list[str] = []
        records = self.old_users.values()
        self.taken_uids = {*before.uids().values(), *ids.users.values(), *(record.uid for record in records)}
        self.taken_gids = {*before.gids().values(), *ids.groups.values(), *self.old_groups.values()}

    def reserve(self, users: Mapping[str, User], private: set[str]) -> None:
        """Keep explicit ids away from everybody else."""
        self.taken_uids |= {user.uid for user in users.values() if user.uid is not None}
        self.taken_gids |= {
            user.uid for name, user in users.items() if user.uid is not None and name in private
        }

    def group(self, name: str, wanted: int | None, system: bool, *, like: int | None = None) -> int:
        """The group's gid; it is made when it is not there. ``like`` is the uid a private group would best share."""
        self._check_name("group", name)
        have = self.now.gids().get(name)
        if have is not None:
            if wanted is not None and wanted != have:
                self._renumbered("group", name, have, wanted)
            return have
        pinned = wanted if wanted is not None else self.ids.groups.get(name, self.old_groups.get(name))
        gid = pinned if pinned is not None else self._free_gid(system, like)
        self._check_unique("group", name, gid, self.now.gids())
        self.taken_gids.add(gid)
        self.groups[name] = gid
        self.now = replace(self.now, group=self.now.group.put((name, "x", str(gid), "")))
        if self.now.gshadow.find(name) is None:
            self.now = replace(self.now, gshadow=self.now.gshadow.put((name, "!", "", "")))
        return gid

    def user(self, name: str, user: User, *, private: bool) -> None:
        self._check_name("user", name)
        self._check_fields(name, user)
        have = self.now.passwd.find(name)
        if have is None:
            self._make(name, user, private)
        else:
            self._update(name, user, have)
        self._password(name, user)

    def _make(self, name: str, user: User, private: bool) -> None:
        old = self.old_users.get(name)
        pinned = user.uid if user.uid is not None else self.ids.users.get(name, old.uid if old else None)
        uid = pinned if pinned is not None else self._free_uid(user.system, share=private)
        self._check_unique("user", name, uid, self.now.uids())
        self.taken_uids.add(uid)
        if user.group is None:
            gid = self.group(name, None, user.system, like=uid)
        else:
            gid = self._existing_group(user.group, f"the primary group of user {name!r}")
        home = user.home or ("/nonexistent" if user.system else f"/home/{name}")
        shell = user.shell or (NOLOGIN if user.system else "/bin/bash")
        record = (name, "x", str(uid), str(gid), user.comment, home, shell)
        self.now = replace(self.now, passwd=self.now.passwd.put(record))
        self.users[name] = AccountRecord(uid, gid, made=True)

    def _update(self, name: str, user: User, have: Record) -> None:
        uid, gid = int(have[2] or 0), int(have[3] or 0)
        if user.uid is not None and user.uid != uid:
            self._renumbered("user", name, uid, user.uid)
        if user.group is not None:
            gid = self._existing_group(user.group, f"the primary group of user {name!r}")
        ours = name in self.old_users and self.old_users[name].made
        comment = user.comment if user.comment or ours else have[4]
        record = (name, have[1], have[2], str(gid), comment, user.home or have[5], user.shell or have[6])
        self.now = replace(self.now, passwd=self.now.passwd.put(record))
        self.users[name] = AccountRecord(uid, gid, made=ours)

    def _password(self, name: str, user: User) -> None:
        shadow = self.now.shadow.find(name)
        old = self.old_users.get(name)
        wanted = user.hashed_password
        if wanted is None:
            if shadow is not None and not (old and old.password):
                return
            wanted = "!"
        else:
            self.users[name] = replace(self.users[name], password=True)
        if shadow is None:
            shadow = (name, "", "", "0", "99999", "7", "", "", "")
        if shadow[1] != wanted:
            record = (name, wanted, str(self.day), *shadow[3:])
            self.now = replace(self.now, shadow=self.now.shadow.put(record))

    def join(self, memberships: set[str]) -> None:
        """Add members, each as ``GROUP:USER``."""
        for membership in sorted(memberships):
            group, _, user = membership.partition(":")
            if self.now.passwd.find(user) is None:
                self.problems.append(
                    f"group {group!r} has the member {user!r}, but there is no such user{self._near_user(user)}"
                )
                continue
            record = self.now.group.find(group)
            if record is None:
                self._existing_group(group, f"a group of user {user!r}")
                continue
            if user not in _members(record):
                self._set_members(group, (*_members(record), user))
                self.memberships.add(membership)
            elif membership in self.old_memberships:
                self.memberships.add(membership)

    def leave(self) -> None:
        """Take back memberships that we added and nobody declares any more."""
        for membership in sorted(self.old_memberships - self.memberships):
            group, _, user = membership.partition(":")
            record = self.now.group.find(group)
            if record is not None and user in _members(record):
                self._set_members(group, tuple(member for member in _members(record) if member != user))

    def retire(self, users: Mapping[str, User]) -> None:
        """Lock accounts of ours that are no longer declared; what they own, and so their ids, must stay theirs."""
        for name, old in self.old_users.items():
            if name in users:
                continue
            shadow = self.now.shadow.find(name)
            if shadow is not None and (old.made or old.password) and not shadow[1].startswith("!"):
                self.now = replace(
                    self.now, shadow=self.now.shadow.put((name, "!", str(self.day), *shadow[3:]))
                )
            passwd = self.now.passwd.find(name)
            if passwd is not None and old.made:
                self.now = replace(self.now, passwd=self.now.passwd.put((*passwd[:6], NOLOGIN)))

    def result(self) -> Settled:
        return Settled(
            self.now, self.users, self.groups, tuple(sorted(self.memberships)), tuple(self.problems)
        )

    def _set_members(self, group: str, members: tuple[str, ...]) -> None:
        record = self.now.group.find(group)
        assert record is not None
        self.now = replace(self.now, group=self.now.group.put((*record[:3], ",".join(members))))
        hidden = self.now.gshadow.find(group)
        if hidden is not None:
            self.now = replace(self.now, gshadow=self.now.gshadow.put((*hidden[:3], ",".join(members))))

    def _existing_group(self, name: str, what: str) -> int:
        gid = self.now.gids().get(name)
        if gid is None:
            near = difflib.get_close_matches(name, self.now.gids(), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.problems.append(f"{what} is {name!r}, but there is no such group{hint}")
            return 65534
        return gid

    def _near_user(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.now.uids(), 1)
        return f"; did you mean {near[0]!r}?" if near else ""

    def _free_uid(self, system: bool, *, share: bool) -> int:
        avoid = self.taken_uids | self.taken_gids if share else self.taken_uids
        return self._first_free(*self._order(system, self.ranges.system_uid, self.ranges.uid), avoid, "user")

    def _free_gid(self, system: bool, like: int | None) -> int:
        if like is not None and like not in self.now.gids().values():
            return like
        return self._first_free(
            *self._order(system, self.ranges.system_gid, self.ranges.gid), self.taken_gids, "group"
        )

    @staticmethod
    def _order(system: bool, low: tuple[int, int], high: tuple[int, int]) -> tuple[int, int, int]:
        return (low[1], low[0] - 1, -1) if system else (high[0], high[1] + 1, 1)

    def _first_free(self, start: int, stop: int, step: int, taken: set[int], what: str) -> int:
        for number in range(start, stop, step):
            if number not in taken:
                return number
        self.problems.append(f"no {what} id is free between {start} and {stop - step}")
        return 65534

    def _renumbered(self, what: str, name: str, have: int, wanted: int) -> None:
        self.problems.append(
            f"{what} {name!r} has the id {have} on this system, and the definition says {wanted}: ids are never renumbered"
        )

    def _check_unique(self, what: str, name: str, number: int, present: Mapping[str, int]) -> None:
        for other, taken in present.items():
            if taken == number and number != 65534:
                self.problems.append(f"{what} {name!r} cannot have the id {number}: {other!r} has it")

    def _check_name(self, what: str, name: str) -> None:
        if not _NAME.fullmatch(name) or len(name) > 32:
            self.problems.append(
                f"{name!r} is no {what} name: at most 32 of a-z, 0-9, _ . and -, beginning with a letter or _"
            )

    def _check_fields(self, name: str, user: User) -> None:
        texts = {
            "comment": user.comment,
            "home": user.home,
            "shell": user.shell,
            "hashed_password": user.hashed_password,
        }
        for what, text in texts.items():
            if text and re.search(r"[:\n\0]", text):
                self.problems.append(
                    f"the {what} of user {name!r} contains a colon or a line break: {text!r}"
                )
        for what in ("home", "shell"):
            text = texts[what]
            if text is not None and not text.startswith("/"):
                self.problems.append(f"the {what} of user {name!r} is not an absolute path: {text!r}")


def _members(record: Record) -> tuple[str, ...]:
    return tuple(member for member in record[3].split(",") if member)
