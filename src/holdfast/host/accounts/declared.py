"""Which accounts there shall be: declared users and groups merged into what a root has (pure).

Ids, in this order: what the root has already (never renumbered), what the definition says, the lock's ids table, what
this system recorded earlier, the first free one. Accounts that nobody declared are not touched; of an account that was there before
us only what the definition says is changed, and comes back when the definition says it no more.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import field, replace

from holdfast.base.records import dataclass
from holdfast.host.accounts import retiring
from holdfast.host.accounts.ids import NOBODY, Ids, Numbers, with_subordinates
from holdfast.host.accounts.retiring import COLUMNS, NOLOGIN, Owned, lines_of
from holdfast.host.accounts.tables import Accounts, Ranges, Record
from holdfast.host.accounts.ways_in import Access, lost_ways
from holdfast.host.files.nodes import Node
from holdfast.host.state import AccountLines, AccountRecord, State
from holdfast.manifest.model import Group, User

_NAME = re.compile(r"[a-z_][a-z0-9_.-]*\$?", re.ASCII)
_VOLATILE = ("/run/", "/var/run/", "/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/")


@dataclass(frozen=True)
class Settled:
    """What came of it."""

    accounts: Accounts
    users: Mapping[str, AccountRecord]
    groups: Mapping[str, int]
    memberships: tuple[str, ...]
    problems: tuple[str, ...]
    kept_groups: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What a person should know before agreeing: who is locked and why, whose processes go on running."""
    leftovers: Mapping[str, Node] = field(default_factory=lambda: {})
    """Homes of deleted users in which there is only what we put there: they go, too."""

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
    access: Access | None = None,
    owned: Owned | None = None,
) -> Settled:
    """Merge the declared accounts into ``before``. ``day`` (since 1970) dates password changes in shadow(5).

    ``access`` is what lock-outs are judged by; None judges none. Without ``owned`` no account is deleted.
    """
    work = _Settling(before, ids, ranges, day, state, owned)
    for name, group in sorted(groups.items(), key=lambda item: (item[1].gid is None, item[0])):
        work.group(name, group.gid, group.system)
    private = {name for name, user in users.items() if user.group is None and name not in groups}
    work.numbers.reserve(users, private)
    for name, user in sorted(users.items(), key=lambda item: (item[1].uid is None, item[0])):
        work.user(name, user, private=name in private)
    work.join({f"{group}:{user}" for user, spec in users.items() for group in spec.groups})
    work.join({f"{group}:{member}" for group, spec in groups.items() for member in spec.members})
    work.leave()
    work.retire(users)
    work.retire_groups({*groups, *private})
    if access is not None:
        work.problems += lost_ways(before, work.now, access, users, day=day)
    return work.result()


class _Settling:
    """The tables while they grow; every method takes one decision."""

    def __init__(
        self, before: Accounts, ids: Ids, ranges: Ranges, day: int, state: State | None, owned: Owned | None
    ) -> None:
        self.now = before
        self.ranges, self.day, self.owned = ranges, day, owned
        self.numbers = Numbers(before, ids, ranges, state)
        self.old_users = dict(state.users) if state else {}
        self.old_groups = dict(state.groups) if state else {}
        self.old_memberships = set(state.memberships) if state else set[str]()
        self.users = dict(self.old_users)
        self.groups = dict(self.old_groups)
        self.memberships: set[str] = set()
        self.kept_groups: set[str] = set()
        self.problems: list[str] = []
        self.notes: list[str] = []
        self.leftovers: dict[str, Node] = {}

    def group(self, name: str, wanted: int | None, system: bool, *, like: int | None = None) -> int:
        """The group's gid; it is made when it is not there. ``like`` is the uid a private group would best share."""
        self._check_name("group", name)
        have = self.now.gids().get(name)
        if have is not None:
            if wanted is not None and wanted != have:
                self._renumbered("group", name, have, wanted)
            return have
        gid = self.numbers.gid(name, wanted, system, like, self.now.gids())
        self._check_unique("group", name, gid, self.now.gids())
        self.groups[name] = gid
        self.now = replace(self.now, group=self.now.group.put((name, "x", str(gid), "")))
        hidden = self.now.gshadow
        if hidden.find(name) is None and (hidden.exists or not self.now.group.exists):
            self.now = replace(self.now, gshadow=hidden.put((name, "!", "", "")))
        return gid

    def user(self, name: str, user: User, *, private: bool) -> None:
        told = len(self.problems)
        self._check_name("user", name)
        self._check_fields(name, user)
        if len(self.problems) > told:
            return  # it would break the line
        have = self.now.passwd.find(name)
        old = self.old_users.get(name)
        if have is None:
            old = self._make(name, user, private, old)
        elif old is None or str(old.uid) != have[2]:
            lines = lines_of(self.now, name)
            old = AccountRecord(_number(have[2]), _number(have[3]), made=False, before=lines)
        elif old.locked is not None:
            self.now = retiring.unlock(self.now, old.locked)
            old = replace(old, locked=None)
        self._update(name, user, old)

    def _make(self, name: str, user: User, private: bool, old: AccountRecord | None) -> AccountRecord:
        """Add the account with what it is by default, or as it was when it was deleted."""
        uid = self.numbers.uid(name, user, share=private)
        self._check_unique("user", name, uid, self.now.uids())
        gid = self.group(name, None, user.system, like=uid) if user.group is None else NOBODY
        passwd = self._default(name, user, uid, gid)
        shadow: Record = (name, "!", str(self.day), "0", "99999", "7", "", "", "")
        if old is not None and old.locked is not None:
            passwd = (*passwd[:4], *old.locked.passwd[4:])
            shadow = old.locked.shadow or shadow
        listed = tuple(group[0] for group in self.now.group.records() if name in group[3].split(","))
        had_ids = any(table.find(name) for table in (self.now.subuid, self.now.subgid))
        self.now = retiring.put_lines(self.now, AccountLines(passwd, shadow))
        gives_ids = not user.system and not had_ids
        if gives_ids:
            self.now = replace(
                self.now,
                subuid=with_subordinates(self.now.subuid, name, self.ranges.subuid),
                subgid=with_subordinates(self.now.subgid, name, self.ranges.subgid),
            )
        return AccountRecord(
            uid,
            gid,
            made=True,
            password=old.password if old else False,
            ours=old.ours if old else (),
            listed=listed,
            subids=gives_ids and any(table.find(name) for table in (self.now.subuid, self.now.subgid)),
        )

    def _default(self, name: str, user: User, uid: int, gid: int) -> Record:
        home = "/nonexistent" if user.system else f"/home/{name}"
        return (name, "x", str(uid), str(gid), "", home, NOLOGIN if user.system else "/bin/bash")

    def _update(self, name: str, user: User, old: AccountRecord) -> None:
        """What the definition says; and what it said before and says no more is as it was without it."""
        have = self.now.passwd.find(name)
        assert have is not None
        if user.uid is not None and user.uid != old.uid:
            self._renumbered("user", name, old.uid, user.uid)
        wanted = {"comment": user.comment or None, "home": user.home, "shell": user.shell}
        if user.group is not None:
            wanted["group"] = str(self._existing_group(user.group, f"the primary group of user {name!r}"))
        without = old.before.passwd if old.before else self._default(name, user, old.uid, _number(have[3]))
        if old.made and user.group is None and "group" in old.ours:
            without = (*without[:3], str(self.group(name, None, user.system, like=old.uid)), *without[4:])
        fields = list(have)
        for what, column in COLUMNS.items():
            value = wanted.get(what)
            if value is not None:
                fields[column] = value
            elif what in old.ours:
                fields[column] = without[column]
        self.now = replace(self.now, passwd=self.now.passwd.put(tuple(fields)))
        ours = tuple(what for what in COLUMNS if wanted.get(what) is not None)
        self._password(name, user, old)
        declared = user.hashed_password is not None
        self.users[name] = replace(old, gid=_number(fields[3]), ours=ours, password=declared)

    def _password(self, name: str, user: User, old: AccountRecord) -> None:
        lines = lines_of(self.now, name)
        assert lines is not None
        wanted = user.hashed_password
        if wanted is None and old.password and not old.made:
            if old.before is not None:
                self.now = retiring.release_password(self.now, name, old.before)
            return
        if wanted is None and not old.password:
            return  # the person's own, set with passwd(1)
        shadow = lines.shadow or (name, "", "", "0", "99999", "7", "", "", "")
        wanted = wanted or "!"
        if shadow[1] != wanted:
            shadow = (name, wanted, str(self.day), *shadow[3:])
        passwd = (name, "x", *lines.passwd[2:])
        self.now = retiring.put_lines(self.now, AccountLines(passwd, shadow))

    def join(self, memberships: set[str]) -> None:
        """Add members, each as ``GROUP:USER``."""
        for membership in sorted(memberships):
            group, _, user = membership.partition(":")
            if self.now.passwd.find(user) is None:
                self.problems.append(
                    f"group {group!r} has the member {user!r}, but there is no such user{self._near_user(user)}"
                )
            elif self.now.group.find(group) is None:
                self._existing_group(group, f"a group of user {user!r}")
            elif user not in self.now.members(group):
                self.now = self.now.join(group, user)
                self.memberships.add(membership)
            elif membership in self.old_memberships:
                self.memberships.add(membership)

    def leave(self) -> None:
        """Take back memberships that we added and nobody declares any more."""
        for membership in sorted(self.old_memberships - self.memberships):
            self.now = self.now.leave(*membership.split(":", 1))

    def retire(self, users: Mapping[str, User]) -> None:
        """Accounts of ours that nobody declares any more."""
        for name, old in self.old_users.items():
            lines = None if name in users else lines_of(self.now, name)
            if name in users:
                continue
            if lines is None or lines.passwd[2] != str(old.uid):
                if not old.made:
                    del self.users[name]
            elif not old.made:
                self.now = retiring.release(self.now, name, old)
                nodes = self.owned.homes.get(old.uid) if self.owned else None
                if nodes is not None and old.home in nodes:
                    self.leftovers.update(nodes)
                del self.users[name]
            else:
                self._retire(name, old, lines)

    def _retire(self, name: str, old: AccountRecord, lines: AccountLines) -> None:
        kept = old.locked or lines
        namesakes = [other for other, uid in self.now.uids().items() if uid == old.uid]
        if self.owned is not None and self.owned.nothing_of_user(old.uid) and namesakes == [name]:
            self.now = retiring.delete(self.now, name, old)
            self.leftovers.update(self.owned.homes.get(old.uid, {}))
            self.users[name] = replace(old, locked=kept, listed=(), subids=False)
            self.notes.append(f"user {name!r} is deleted: nothing is left that belongs to it")
        elif old.locked is None:
            self.now = retiring.lock(self.now, lines)
            self.users[name] = replace(old, locked=kept)
            self.notes.append(f"user {name!r} is locked, not deleted: {self._why_kept(old.uid)}")
        processes = self.owned.processes.get(old.uid, ()) if self.owned else ()
        if processes:
            self.notes.append(f"user {name!r} has running processes, which go on: {', '.join(processes)}")

    def _why_kept(self, uid: int) -> str:
        if self.owned is None:
            return "what it owns was not looked for"
        found = self.owned.uids.get(uid)
        return f"{found} still belongs to it" if found else self.owned.incomplete

    def retire_groups(self, declared: set[str]) -> None:
        """Groups of ours that nobody declares any more: they go when nothing and nobody belongs to them."""
        primary = {record[3] for record in self.now.passwd.records()}
        for name, gid in self.old_groups.items():
            if name in declared or self.now.gids().get(name) != gid:
                continue
            empty = str(gid) not in primary and not self.now.members(name)
            if empty and self.owned is not None and self.owned.nothing_of_group(gid):
                self.now = retiring.delete_group(self.now, name)
            else:
                self.kept_groups.add(name)

    def result(self) -> Settled:
        return Settled(
            self.now,
            self.users,
            self.groups,
            tuple(sorted(self.memberships)),
            (*self.problems, *self.numbers.problems),
            tuple(sorted(self.kept_groups)),
            tuple(self.notes),
            self.leftovers,
        )

    def _existing_group(self, name: str, what: str) -> int:
        gid = self.now.gids().get(name)
        if gid is None:
            near = difflib.get_close_matches(name, self.now.gids(), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            self.problems.append(f"{what} is {name!r}, but there is no such group{hint}")
            return NOBODY
        return gid

    def _near_user(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.now.uids(), 1)
        return f"; did you mean {near[0]!r}?" if near else ""

    def _renumbered(self, what: str, name: str, have: int, wanted: int) -> None:
        self.problems.append(
            f"{what} {name!r} has the id {have} on this system, and the definition says {wanted}: ids are never renumbered"
        )

    def _check_unique(self, what: str, name: str, number: int, present: Mapping[str, int]) -> None:
        for other, taken in present.items():
            if taken == number and number != NOBODY:
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
        if user.shell is not None and user.shell.startswith(_VOLATILE):
            self.problems.append(
                f"the shell of user {name!r} is at {user.shell}, where nothing outlasts a restart: nobody could log in then"
            )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else NOBODY
