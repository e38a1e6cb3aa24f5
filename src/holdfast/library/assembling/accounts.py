"""From the options of accounts to the manifest's users and groups, and what does not fit together."""

from __future__ import annotations

from holdfast.library.assembling.problems import Problems
from holdfast.library.types import check_account
from holdfast.library.users import Users
from holdfast.manifest import model

# Accounts of base-passwd and of systemd itself, which every Debian has.
BASE_GROUPS = frozenset(
    [
        "root",
        "daemon",
        "bin",
        "sys",
        "adm",
        "tty",
        "disk",
        "lp",
        "mail",
        "news",
        "uucp",
        "man",
        "proxy",
        "kmem",
        "dialout",
        "fax",
        "voice",
        "cdrom",
        "floppy",
        "tape",
        "sudo",
        "audio",
        "dip",
        "www-data",
        "backup",
        "operator",
        "list",
        "irc",
        "src",
        "shadow",
        "utmp",
        "video",
        "sasl",
        "plugdev",
        "staff",
        "games",
        "users",
        "nogroup",
        "input",
        "kvm",
        "render",
        "sgx",
        "systemd-journal",
        "systemd-network",
        "systemd-resolve",
        "systemd-timesync",
        "messagebus",
        "crontab",
        "netdev",
    ]
)
BASE_USERS = frozenset(
    [
        "root",
        "daemon",
        "bin",
        "sys",
        "sync",
        "games",
        "man",
        "lp",
        "mail",
        "news",
        "uucp",
        "proxy",
        "www-data",
        "backup",
        "list",
        "irc",
        "_apt",
        "nobody",
        "systemd-network",
        "systemd-resolve",
        "systemd-timesync",
        "messagebus",
    ]
)


def assemble_accounts(
    config: Users, problems: Problems
) -> tuple[dict[str, model.User], dict[str, model.Group]]:
    """The manifest's users and groups; what is wrong goes to ``problems``."""
    users = {
        name: model.User(
            uid=user.uid,
            group=user.group,
            groups=user.groups,
            comment=user.comment,
            home=user.home,
            create_home=user.create_home,
            shell=user.shell,
            system=user.system,
            hashed_password=user.hashed_password,
            authorized_keys=user.authorized_keys,
            linger=user.linger,
        )
        for name, user in config.users.items()
        if user.enable
    }
    groups = {
        name: model.Group(gid=group.gid, system=group.system, members=group.members)
        for name, group in config.groups.items()
        if group.enable
    }
    _check_names(config, problems)
    _check_groups(config, users, groups, problems)
    _check_ids(users, groups, problems)
    _check_text(users, problems)
    return users, groups


def _check_names(config: Users, problems: Problems) -> None:
    for field, names in (("users", config.users), ("groups", config.groups)):
        for name in names:
            with problems.at("users", field, name):
                check_account(name)


def _check_groups(
    config: Users, users: dict[str, model.User], groups: dict[str, model.Group], problems: Problems
) -> None:
    packaged = set(config.from_packages)
    own = {name for name, user in users.items() if user.group is None}
    known_groups = BASE_GROUPS | packaged | set(groups) | own
    known_users = BASE_USERS | packaged | set(users)
    remedy = 'or, if a package brings it, write m[Users].from_packages = ["{}"].'
    for name, user in users.items():
        wanted = ([("group", user.group)] if user.group is not None else []) + [
            ("groups", one) for one in user.groups
        ]
        for field, group in wanted:
            if group not in known_groups:
                problems.add(
                    f"There is no group {group!r}. Declare it: m[Users].groups.add({group!r}); {remedy.format(group)}",
                    "users", "users", name, field,
                )  # fmt: skip
    for name, declared in groups.items():
        for member in declared.members:
            if member not in known_users:
                problems.add(
                    f"There is no user {member!r}. Declare it: m[Users].users.add({member!r}); {remedy.format(member)}",
                    "users", "groups", name, "members",
                )  # fmt: skip


def _check_ids(users: dict[str, model.User], groups: dict[str, model.Group], problems: Problems) -> None:
    owners: dict[int, str] = {}
    for name, user in users.items():
        if user.uid is not None and owners.setdefault(user.uid, name) != name:
            problems.add(
                f"The user {owners[user.uid]!r} has the number {user.uid} too.", "users", "users", name, "uid"
            )
    owners = {}
    for name, group in groups.items():
        if group.gid is not None and owners.setdefault(group.gid, name) != name:
            problems.add(
                f"The group {owners[group.gid]!r} has the number {group.gid} too.",
                "users",
                "groups",
                name,
                "gid",
            )


def _check_text(users: dict[str, model.User], problems: Problems) -> None:
    for name, user in users.items():
        if any("\n" in key.strip() for key in user.authorized_keys):
            problems.add(
                "A key is more than one line; make each an item of its own.",
                "users", "users", name, "authorized_keys",
            )  # fmt: skip
        if any(":" in text or "\n" in text for text in (user.comment, user.home or "", user.shell or "")):
            problems.add(
                "comment, home and shell cannot contain a colon or a line break.", "users", "users", name
            )
