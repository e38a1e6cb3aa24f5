"""People's accounts and groups on a machine."""

from __future__ import annotations

import posixpath

from holdfast.host.accounts.tables import Accounts, Ranges, Record
from holdfast.host.files.nodes import File, Folder
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.inventory.files import FileFinder, utf8
from holdfast.manifest.inventory import FoundGroup, FoundUser

_LINGER = "/var/lib/systemd/linger"


def read_people(
    root: RootDirectory, accounts: Accounts, ranges: Ranges, files: FileFinder, *, secrets: bool
) -> dict[str, FoundUser]:
    """Root, and every account with a number for people. Files of keys that are not as we write them go to ``files``.

    Raises:
        OSError: the root cannot be read.
    """
    low, high = ranges.uid
    return {
        record[0]: _user(root, accounts, record, files, secrets=secrets)
        for record in accounts.passwd.records()
        if record[2].isdigit() and (record[0] == "root" or low <= int(record[2]) <= high)
    }


def _user(
    root: RootDirectory, accounts: Accounts, record: Record, files: FileFinder, *, secrets: bool
) -> FoundUser:
    name, home, shell = record[0], record[5], record[6]
    groups = {gid: group for group, gid in reversed(list(accounts.gids().items()))}
    shadow = accounts.shadow.find(name)
    password = shadow[1] if shadow else ""
    program = root.locate(shell, follow=True).node if shell.startswith("/") else None
    return FoundUser(
        uid=int(record[2]),
        group=groups.get(int(record[3]), record[3]) if record[3].isdigit() else record[3],
        groups=tuple(group[0] for group in accounts.group.records() if name in group[3].split(",")),
        comment=record[4],
        home=home,
        shell=shell,
        has_home=isinstance(root.locate(home).node, Folder) if home.startswith("/") else False,
        has_shell=isinstance(program, File) and bool(int(program.mode, 8) & 0o111),
        linger=_lingers(root, name),
        can_use_password=bool(password) and not password.startswith(("!", "*")),
        hashed_password=password if secrets else None,
        authorized_keys=_keys(root, record, files),
    )


def _lingers(root: RootDirectory, name: str) -> bool:
    node = root.locate(f"{_LINGER}/{name}").node
    return isinstance(node, File) and (node.mode, node.uid, node.gid) == ("0644", 0, 0)


def _keys(root: RootDirectory, record: Record, files: FileFinder) -> tuple[str, ...]:
    if not record[5].startswith("/") or not (record[2].isdigit() and record[3].isdigit()):
        return ()
    uid, gid = int(record[2]), int(record[3])
    directory = posixpath.join(record[5], ".ssh")
    path = f"{directory}/authorized_keys"
    located = root.locate(path)
    if not isinstance(located.node, File) or located.real != path:
        return ()
    data = root.read(path) or b""
    if not data.strip():
        return ()
    text = utf8(data)
    plain = located.node == File(located.node.digest, "0600", uid, gid)
    if plain and root.locate(directory).node == Folder("0700", uid, gid) and text and text.endswith("\n"):
        lines = tuple(text.split("\n")[:-1])
        if all(line and line == line.strip() for line in lines):
            return lines
    # Keys that may log in are public, whoever may read the file.
    files.file(path, File(located.node.digest, located.node.mode, uid, gid), data, public=True)
    return ()


def read_groups(
    accounts: Accounts, ranges: Ranges, people: dict[str, FoundUser]
) -> tuple[dict[str, FoundGroup], tuple[str, ...]]:
    """Groups with numbers for people, without private ones; and the names of lower groups that people are in."""
    low, high = ranges.gid
    found: dict[str, FoundGroup] = {}
    for record in accounts.group.records():
        if record[2].isdigit() and low <= int(record[2]) <= high:
            private = record[0] in people and people[record[0]].group == record[0] and not record[3]
            if not private:
                members = tuple(member for member in record[3].split(",") if member)
                found[record[0]] = FoundGroup(int(record[2]), members)
    used = {group for user in people.values() for group in (user.group, *user.groups)}
    gids = accounts.gids()
    return found, tuple(sorted(group for group in used if gids.get(group, low) < low))
