"""Which number a new account gets (pure): the first free one, people upwards from UID_MIN, system accounts downwards, as useradd(8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from holdfast.base.records import dataclass
from holdfast.host.accounts.tables import Accounts, Ranges, Table
from holdfast.host.state import AccountRecord, State
from holdfast.manifest.model import User

NOBODY = 65534


@dataclass(frozen=True)
class Ids:
    """Pinned ids by name, from the lock."""

    users: Mapping[str, int] = field(default_factory=lambda: {})
    groups: Mapping[str, int] = field(default_factory=lambda: {})


class Numbers:
    """The numbers that are taken, while more are given away. What a system once gave to a name stays that name's."""

    def __init__(self, before: Accounts, ids: Ids, ranges: Ranges, state: State | None) -> None:
        self.ranges = ranges
        self.problems: list[str] = []
        self._ids = ids
        self._old_users: Mapping[str, AccountRecord] = state.users if state else {}
        self._old_groups: Mapping[str, int] = state.groups if state else {}
        self._given_uids = frozenset(before.uids().values())
        records = self._old_users.values()
        self.uids = {*before.uids().values(), *ids.users.values(), *(record.uid for record in records)}
        self.gids = {*before.gids().values(), *ids.groups.values(), *self._old_groups.values()}

    def reserve(self, users: Mapping[str, User], private: set[str]) -> None:
        """Keep explicit ids away from everybody else."""
        self.uids |= {user.uid for user in users.values() if user.uid is not None}
        self.gids |= {user.uid for name, user in users.items() if user.uid is not None and name in private}

    def uid(self, name: str, user: User, *, share: bool) -> int:
        """The number of a new user; ``share``: one that its private group can have too."""
        number = user.uid if user.uid is not None else self._ids.users.get(name)
        if number is None and name in self._old_users:
            number = self._old_users[name].uid
            if number in self._given_uids:  # to another, after the account was gone with all it had
                number = None
        if number is None:
            avoid = self.uids | self.gids if share else self.uids
            number = self._first_free(user.system, self.ranges.system_uid, self.ranges.uid, avoid, "user")
        self.uids.add(number)
        return number

    def gid(
        self, name: str, wanted: int | None, system: bool, like: int | None, present: Mapping[str, int]
    ) -> int:
        """The number of a new group; ``like`` is the uid a private group would best share."""
        number = wanted if wanted is not None else self._ids.groups.get(name)
        if number is None and self._old_groups.get(name) not in present.values():
            number = self._old_groups.get(name)
        if number is None and like is not None and like not in present.values():
            number = like
        if number is None:
            number = self._first_free(system, self.ranges.system_gid, self.ranges.gid, self.gids, "group")
        self.gids.add(number)
        return number

    def _first_free(
        self, system: bool, low: tuple[int, int], high: tuple[int, int], taken: set[int], what: str
    ) -> int:
        start, stop, step = (low[1], low[0] - 1, -1) if system else (high[0], high[1] + 1, 1)
        for number in range(start, stop, step):
            if number not in taken:
                return number
        self.problems.append(f"no {what} id is free between {start} and {stop - step}")
        return NOBODY


def with_subordinates(table: Table, name: str, limits: tuple[int, int, int] | None) -> Table:
    """subuid(5) or subgid(5) with a range for ``name``, as useradd(8) gives one: where the file and login.defs(5) provide for it."""
    if not table.exists or limits is None or table.find(name) is not None:
        return table
    first, last, count = limits
    taken = sorted(
        (int(start), int(start) + int(size))
        for _, start, size in table.records()
        if start.isdigit() and size.isdigit()
    )
    for start, end in taken:
        if first + count <= start:
            break
        first = max(first, end)
    if first + count - 1 > last:
        return table
    return table.put((name, str(first), str(count)))
