"""Whether anybody can still get in (pure): who can log in and become root, before a change of accounts and after it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import field

from holdfast.base.records import dataclass
from holdfast.host.accounts.tables import Accounts
from holdfast.manifest.model import User

ADMIN_GROUPS = ("sudo", "wheel", "admin")
"""What sudo(8) and polkit(8) of the distributions give root's rights to."""
KEY_FILES = (".ssh/authorized_keys", ".ssh/authorized_keys2")
"""The defaults of sshd_config(5), below the home."""
_NO_SHELLS = ("nologin", "false", "sync", "halt", "shutdown")


@dataclass(frozen=True)
class Access:
    """What decides, besides the account files, about getting in. Paths are those of authorized_keys files."""

    keys: frozenset[str] = frozenset()
    """Files that hold a key now."""
    keys_after: frozenset[str] = frozenset()
    """Files that will hold a key when the change is done."""
    sudoers: tuple[str, ...] = ()
    """Users and ``%groups`` to whom sudoers(5) gives something now."""
    sudoers_after: tuple[str, ...] = ()
    deployer: str | None = None
    """The account that changes are carried out from, if that is known."""


@dataclass(frozen=True)
class _Side:
    """Before, or after."""

    accounts: Accounts
    keys: frozenset[str]
    sudoers: frozenset[str]
    day: int
    declared: Mapping[str, User] = field(default_factory=lambda: {})

    def can_log_in(self, name: str) -> bool:
        passwd, shadow = self.accounts.passwd.find(name), self.accounts.shadow.find(name)
        if passwd is None or posixpath.basename(passwd[6]) in _NO_SHELLS:
            return False
        password = passwd[1]
        if shadow is not None:
            if shadow[7].isdigit() and int(shadow[7]) <= self.day:
                return False
            password = shadow[1]
        elif password == "x":
            password = "!"
        if not password.startswith(("!", "*")):
            return True
        declared = self.declared.get(name)
        if declared is not None and declared.authorized_keys:
            return True
        return any(posixpath.join(passwd[5], file) in self.keys for file in KEY_FILES)

    def is_admin(self, name: str) -> bool:
        if name == "root" or name in self.sudoers:
            return True
        passwd = self.accounts.passwd.find(name)
        groups = {*ADMIN_GROUPS, *(entry[1:] for entry in self.sudoers if entry.startswith("%"))}
        for group in groups:
            record = self.accounts.group.find(group)
            if record and (name in record[3].split(",") or (passwd is not None and passwd[3] == record[2])):
                return True
        return False

    def ways(self) -> list[str]:
        """Accounts from which a person can become root."""
        names = dict.fromkeys(record[0] for record in self.accounts.passwd.records())
        return [name for name in names if self.is_admin(name) and self.can_log_in(name)]


def lost_ways(
    before: Accounts, after: Accounts, access: Access, users: Mapping[str, User], *, day: int
) -> list[str]:
    """Problems: the account that is deployed from is shut out, or nobody who could become root can any more."""
    old = _Side(before, access.keys, frozenset(access.sudoers), day)
    new = _Side(after, access.keys_after, frozenset(access.sudoers_after), day, users)
    name, problems = access.deployer, list[str]()
    if name is not None and old.can_log_in(name):
        if not new.can_log_in(name):
            problems.append(
                f"user {name!r}, from which this system is deployed, could not log in any more: keep a password or a key for it"
            )
        elif old.is_admin(name) and not new.is_admin(name):
            problems.append(
                f"user {name!r}, from which this system is deployed, could not become root any more: keep it in a group such as 'sudo'"
            )
    ways = old.ways()
    if ways and not new.ways() and not problems:
        problems.append(
            "after this change nobody could log in and become root any more; until now these can: "
            f"{', '.join(ways)}; keep root's password or keys, or a user with one of them in the group 'sudo'"
        )
    return problems


def sudoers_in(texts: Iterable[str]) -> tuple[str, ...]:
    """Users and ``%groups`` of the user specifications in sudoers(5) files. Aliases are not followed."""
    found: dict[str, None] = {}
    for text in texts:
        for line in text.replace("\\\n", " ").splitlines():
            match = re.match(r"\s*(%?[A-Za-z_][A-Za-z0-9_.-]*)\s+[^=\s]+\s*=", line)
            if match and not match[1].endswith("_Alias") and not match[1].startswith("Defaults"):
                found[match[1]] = None
    return tuple(found)


def holds_key(data: bytes | None) -> bool:
    """Whether an authorized_keys file has a line that is no comment."""
    lines = (data or b"").splitlines()
    return any(line.strip() and not line.strip().startswith(b"#") for line in lines)
