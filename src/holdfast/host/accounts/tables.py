"""passwd(5), group(5), shadow(5), gshadow(5), subuid(5) and login.defs(5): text to values and back, other lines kept as they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from holdfast.base.records import dataclass

Record = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One colon-separated file. Comments, compat entries (``+::``), short lines and the order of lines survive."""

    lines: tuple[str, ...]
    fields: int
    """Fields of a proper record; lines with another count are only kept."""
    exists: bool = True
    """The file is there. Without gshadow(5) or subuid(5) a system has no use for them, so none is made."""
    ends: bool = True
    """The last line ends with a line break, as it should; a file without is not touched for that."""

    @staticmethod
    def parse(data: bytes | None, fields: int) -> Table:
        """``data``: the file's content, or None when there is no file."""
        text = (data or b"").decode("utf-8", "surrogateescape")
        ends = not text or text.endswith("\n")
        lines = text.split("\n")[:-1] if ends else text.split("\n")
        return Table(tuple(lines), fields, exists=data is not None, ends=ends)

    def render(self) -> bytes:
        text = "\n".join(self.lines) + ("\n" if self.ends and self.lines else "")
        return text.encode("utf-8", "surrogateescape")

    def records(self) -> Iterable[Record]:
        return (record for record in map(self._record, self.lines) if record is not None)

    def find(self, name: str) -> Record | None:
        """The first record of that name, as getpwnam(3) has it."""
        return next((record for record in self.records() if record[0] == name), None)

    def put(self, record: Record) -> Table:
        """Replace the first record of the same name, or append one, before any compat entries."""
        assert len(record) == self.fields
        line = ":".join(record)
        for index, old in enumerate(self.lines):
            known = self._record(old)
            if known is not None and known[0] == record[0]:
                return replace(self, lines=(*self.lines[:index], line, *self.lines[index + 1 :]))
        end = len(self.lines)
        while end and (self.lines[end - 1][:1] in ("+", "-") or not self.lines[end - 1].strip()):
            end -= 1
        return replace(self, lines=(*self.lines[:end], line, *self.lines[end:]))

    def drop(self, name: str) -> Table:
        """Without the first record of that name."""
        for index, old in enumerate(self.lines):
            known = self._record(old)
            if known is not None and known[0] == name:
                return replace(self, lines=(*self.lines[:index], *self.lines[index + 1 :]))
        return self

    def _record(self, line: str) -> Record | None:
        parts = tuple(line.split(":"))
        return parts if len(parts) == self.fields and line[0] not in "#+-" and parts[0] else None


@dataclass(frozen=True)
class Accounts:
    """The account files of one root."""

    passwd: Table
    group: Table
    shadow: Table
    gshadow: Table
    subuid: Table
    subgid: Table

    @staticmethod
    def parse(files: Mapping[str, bytes]) -> Accounts:
        """``files``: path (``/etc/passwd``) to content; a missing one is empty."""
        return Accounts(
            **{name: Table.parse(files.get(f"/etc/{name}"), count) for name, count in FIELDS.items()}
        )

    def render(self) -> dict[str, bytes]:
        return {f"/etc/{name}": table.render() for name, table in self._tables()}

    def members(self, group: str) -> tuple[str, ...]:
        """Who is in the group beyond those whose primary group it is."""
        record = self.group.find(group)
        return tuple(member for member in record[3].split(",") if member) if record else ()

    def join(self, group: str, user: str) -> Accounts:
        """The user becomes the last member of the group, in group(5) and, where that has the group, in gshadow(5)."""
        return replace(
            self, group=_with_member(self.group, group, user), gshadow=_with_member(self.gshadow, group, user)
        )

    def leave(self, group: str, user: str) -> Accounts:
        """The user is no member of the group any more."""
        return replace(
            self,
            group=_without_member(self.group, group, user),
            gshadow=_without_member(self.gshadow, group, user),
        )

    def uids(self) -> dict[str, int]:
        return _numbers(self.passwd, 2)

    def gids(self) -> dict[str, int]:
        return _numbers(self.group, 2)

    def _tables(self) -> tuple[tuple[str, Table], ...]:
        return (
            ("passwd", self.passwd),
            ("group", self.group),
            ("shadow", self.shadow),
            ("gshadow", self.gshadow),
            ("subuid", self.subuid),
            ("subgid", self.subgid),
        )


FIELDS: Mapping[str, int] = {
    "passwd": 7,
    "group": 4,
    "shadow": 9,
    "gshadow": 4,
    "subuid": 3,
    "subgid": 3,
}
"""Account files in /etc, and the fields of a line of each."""
ACCOUNT_FILES = tuple(f"/etc/{name}" for name in FIELDS)
SHADOW_FILES = ("/etc/shadow", "/etc/gshadow")
"""Those that hold password hashes."""


def _with_member(table: Table, group: str, user: str) -> Table:
    record = table.find(group)
    if record is None or user in record[3].split(","):
        return table
    return table.put((*record[:3], f"{record[3]},{user}" if record[3] else user))


def _without_member(table: Table, group: str, user: str) -> Table:
    """What is left of the list is left as it is spelled."""
    record = table.find(group)
    if record is None or user not in record[3].split(","):
        return table
    return table.put((*record[:3], ",".join(part for part in record[3].split(",") if part != user)))


def _numbers(table: Table, column: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in table.records():
        if record[column].isascii() and record[column].isdigit():
            found.setdefault(record[0], int(record[column]))
    return found


@dataclass(frozen=True)
class Ranges:
    """Where ids may come from and how homes are made; the defaults are Debian's login.defs."""

    uid: tuple[int, int] = (1000, 60000)
    system_uid: tuple[int, int] = (100, 999)
    gid: tuple[int, int] = (1000, 60000)
    system_gid: tuple[int, int] = (100, 999)
    home_mode: str = "0700"
    """Debian leaves HOME_MODE unset; its adduser(8) makes homes that nobody else can read."""
    subuid: tuple[int, int, int] | None = None
    """First and last subordinate uid, and how many each person gets; None when login.defs does not say."""
    subgid: tuple[int, int, int] | None = None

    @staticmethod
    def parse(login_defs: bytes) -> Ranges:
        """The settings of login.defs(5) that matter here; what is not set or not understood keeps its default."""
        settings: dict[str, str] = {}
        for line in login_defs.decode("utf-8", "replace").splitlines():
            found = re.match(r"\s*([A-Z_]+)\s+\"?([0-9A-Fa-fx]+)", line)
            if found:
                settings[found[1]] = found[2]
        default = Ranges()

        def pair(name: str, fallback: tuple[int, int]) -> tuple[int, int]:
            low, high = settings.get(f"{name}_MIN", ""), settings.get(f"{name}_MAX", "")
            return int(low) if low.isdigit() else fallback[0], int(high) if high.isdigit() else fallback[1]

        def triple(name: str) -> tuple[int, int, int] | None:
            texts = [settings.get(f"{name}_{end}", "") for end in ("MIN", "MAX", "COUNT")]
            if not all(text.isdigit() for text in texts) or int(texts[2]) == 0:
                return None
            return int(texts[0]), int(texts[1]), int(texts[2])

        home_mode = settings.get("HOME_MODE", "")
        return Ranges(
            pair("UID", default.uid),
            pair("SYS_UID", default.system_uid),
            pair("GID", default.gid),
            pair("SYS_GID", default.system_gid),
            home_mode.zfill(4)[-4:] if re.fullmatch("[0-7]+", home_mode) else default.home_mode,
            triple("SUB_UID"),
            triple("SUB_GID"),
        )
