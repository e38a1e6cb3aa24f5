"""What becomes of accounts that nobody declares any more (pure), and how they come back.

One that was there before us gets back what the definition had changed. One that we made is deleted when nothing is left that belongs to
it, and locked otherwise: what it owns, and so its number, must stay its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from holdfast.base.records import dataclass
from holdfast.host.accounts.tables import Accounts, Record
from holdfast.host.files.nodes import Node
from holdfast.host.state import AccountLines, AccountRecord, State

NOLOGIN = "/usr/sbin/nologin"
COLUMNS: Mapping[str, int] = {"group": 3, "comment": 4, "home": 5, "shell": 6}
"""Fields of passwd(5) that a definition can say."""
_EXPIRED = "1"
"""The second day of 1970, as `usermod --expiredate 1` writes it: sshd(8) then refuses keys, too (shadow(5))."""


@dataclass(frozen=True)
class Owned:
    """What belongs to accounts that are about to go."""

    uids: Mapping[int, str] = field(default_factory=lambda: {})
    """One thing that belongs to each of those that own files, crontabs or running processes, in words."""
    gids: frozenset[int] = frozenset()
    processes: Mapping[int, tuple[str, ...]] = field(default_factory=lambda: {})
    """Names of the running processes by uid."""
    homes: Mapping[int, Mapping[str, Node]] = field(default_factory=lambda: {})
    """Homes by uid in which there is nothing but what we put there when we made them; they are not counted as owned."""
    incomplete: str = ""
    """Why not every place was looked at, in words; then nobody is known to own nothing."""
    looked_for_uids: frozenset[int] | None = field(default=None, compare=False)
    """Whom was looked for: of others nothing is known. None: everybody."""
    looked_for_gids: frozenset[int] | None = field(default=None, compare=False)

    def nothing_of_user(self, uid: int) -> bool:
        known = self.looked_for_uids is None or uid in self.looked_for_uids
        return known and not self.incomplete and uid not in self.uids

    def nothing_of_group(self, gid: int) -> bool:
        known = self.looked_for_gids is None or gid in self.looked_for_gids
        return known and not self.incomplete and gid not in self.gids


def to_look_for(
    accounts: Accounts, state: State | None, users: Iterable[str], groups: Iterable[str], *, everything: bool
) -> tuple[frozenset[int], frozenset[int]]:
    """Numbers of the users and groups of ours that nobody declares any more, for which it matters what they own.

    Those that were locked or kept earlier are left out, unless ``everything`` is to be looked at again.
    """
    if state is None:
        return frozenset(), frozenset()
    declared_users, declared_groups = set(users), {*users, *groups}
    uids, gids = accounts.uids(), accounts.gids()
    gone_users = {
        record.uid
        for name, record in state.users.items()
        if record.made and name not in declared_users and uids.get(name) == record.uid
        if everything or record.locked is None
    }
    gone_groups = {
        gid
        for name, gid in state.groups.items()
        if name not in declared_groups and gids.get(name) == gid
        if everything or name not in state.kept_groups
    }
    return frozenset(gone_users), frozenset(gone_groups)


def homes_to_look_at(accounts: Accounts, state: State | None, users: Iterable[str]) -> frozenset[int]:
    """Numbers of accounts that were there before us, that nobody declares any more, and whose home we made."""
    known, declared = accounts.uids(), set(users)
    records: Mapping[str, AccountRecord] = state.users if state else {}
    return frozenset(
        record.uid
        for name, record in records.items()
        if record.home and name not in declared and known.get(name) == record.uid
    )


def lines_of(accounts: Accounts, name: str) -> AccountLines | None:
    passwd = accounts.passwd.find(name)
    return None if passwd is None else AccountLines(passwd, accounts.shadow.find(name) or ())


def put_lines(accounts: Accounts, lines: AccountLines) -> Accounts:
    passwd, shadow = accounts.passwd.put(lines.passwd), accounts.shadow
    shadow = shadow.put(lines.shadow) if lines.shadow else shadow.drop(lines.passwd[0])
    return replace(accounts, passwd=passwd, shadow=shadow)


def lock(accounts: Accounts, lines: AccountLines) -> Accounts:
    """No password, no key and no shell lets anybody in any more."""
    passwd: Record = (*lines.passwd[:6], NOLOGIN)
    shadow = lines.shadow
    if shadow:
        shadow = (shadow[0], _locked_password(shadow[1]), *shadow[2:7], _EXPIRED, shadow[8])
    return put_lines(accounts, AccountLines(passwd, shadow))


def unlock(accounts: Accounts, was: AccountLines) -> Accounts:
    """Take :func:`lock` back, in those fields where it still stands."""
    now = lines_of(accounts, was.passwd[0])
    assert now is not None
    passwd, shadow = now.passwd, now.shadow
    if passwd[6] == NOLOGIN:
        passwd = (*passwd[:6], was.passwd[6])
    if shadow and was.shadow:
        password = was.shadow[1] if shadow[1] == _locked_password(was.shadow[1]) else shadow[1]
        expiry = was.shadow[7] if shadow[7] == _EXPIRED else shadow[7]
        shadow = (shadow[0], password, *shadow[2:7], expiry, shadow[8])
    return put_lines(accounts, AccountLines(passwd, shadow))


def _locked_password(password: str) -> str:
    return password if password.startswith("!") else f"!{password}"


def release(accounts: Accounts, name: str, record: AccountRecord) -> Accounts:
    """An account that was there before us gets back what the definition had changed; what others changed stays changed."""
    now, before = lines_of(accounts, name), record.before
    if now is None or before is None:
        return accounts
    passwd = list(now.passwd)
    for what in record.ours:
        passwd[COLUMNS[what]] = before.passwd[COLUMNS[what]]
    accounts = replace(accounts, passwd=accounts.passwd.put(tuple(passwd)))
    return release_password(accounts, name, before) if record.password else accounts


def release_password(accounts: Accounts, name: str, before: AccountLines) -> Accounts:
    """The password that an account had before us, with the day on which it was set."""
    now = lines_of(accounts, name)
    assert now is not None
    shadow = (*before.shadow[:3], *now.shadow[3:]) if before.shadow and now.shadow else before.shadow
    passwd = (name, before.passwd[1], *now.passwd[2:])
    return put_lines(accounts, AccountLines(passwd, shadow))


def delete(accounts: Accounts, name: str, record: AccountRecord) -> Accounts:
    """Without the account, as userdel(8): also out of groups that others put it into since, so that no later namesake inherits them."""
    for group in accounts.group.records():
        if group[0] not in record.listed:
            accounts = accounts.leave(group[0], name)
    return replace(
        accounts,
        passwd=accounts.passwd.drop(name),
        shadow=accounts.shadow.drop(name),
        subuid=accounts.subuid.drop(name) if record.subids else accounts.subuid,
        subgid=accounts.subgid.drop(name) if record.subids else accounts.subgid,
    )


def delete_group(accounts: Accounts, name: str) -> Accounts:
    return replace(accounts, group=accounts.group.drop(name), gshadow=accounts.gshadow.drop(name))
