"""Accounts: users and groups."""

from __future__ import annotations

from holdfast.library.types import ABSOLUTE_PATH, ACCOUNT, ACCOUNTS, ID, PASSWORD_HASH, STRINGS
from holdfast.options import (
    BOOL,
    STR,
    Module,
    OptionSet,
    attrs_of,
    entry_name,
    implements,
    null_or,
    option,
    submodule,
)


class User(OptionSet, path=""):
    """One user."""

    name = entry_name(doc="The login name.")
    enable = option(BOOL, default=True, doc="False leaves the account out.")
    uid = option(null_or(ID), default_text="the lock's ids table decides", doc="Number of the user.")
    group = option(
        null_or(ACCOUNT),
        default_text="a group of the user's own name",
        doc="Primary group; it must be declared or belong to the distribution.",
    )
    groups = option(ACCOUNTS, doc="Further groups.", example=["sudo"])
    comment = option(STR, default="", doc="The person's full name, or what the account is for.")
    home = option(
        null_or(ABSOLUTE_PATH),
        default_text="/home/NAME; /nonexistent for a system account",
        doc="Home directory.",
    )
    create_home = option(BOOL, default=True, doc="Make the home directory if it is missing.")
    shell = option(
        null_or(ABSOLUTE_PATH),
        default_text="/bin/bash; /usr/sbin/nologin for a system account",
        doc="Login shell.",
    )
    system = option(
        BOOL,
        default=False,
        doc="An account for services, not for a person: its number is from the system's range.",
    )
    hashed_password = option(
        null_or(PASSWORD_HASH),
        doc="Password as crypt(5) writes it (`mkpasswd`). None allows no login by password.",
    )
    authorized_keys = option(
        STRINGS, doc="OpenSSH public keys that may log in.", example=["ssh-ed25519 AAAA... ada@example.org"]
    )
    linger = option(BOOL, default=False, doc="Run the user's services from boot on, without a login.")


class Group(OptionSet, path=""):
    """One group."""

    name = entry_name(doc="The group's name.")
    enable = option(BOOL, default=True, doc="False leaves the group out.")
    gid = option(null_or(ID), default_text="the lock's ids table decides", doc="Number of the group.")
    system = option(BOOL, default=False, doc="Its number is from the system's range.")
    members = option(ACCOUNTS, doc="Users in it, besides those that name it among their `groups`.")


class Users(OptionSet, path="users"):
    """Users and groups. Nothing undeclared is touched, and a number once given is never changed or reused."""

    users = option(attrs_of(submodule(User)), doc="Users by login name.")
    groups = option(attrs_of(submodule(Group)), doc="Groups by name.")
    from_packages = option(
        ACCOUNTS,
        doc="Users and groups that packages bring, so that they may be named without being declared.",
        example=["docker"],
    )


@implements(Users)
def users(m: Module) -> None:
    """Nothing to add: the manifest carries accounts as they are."""
