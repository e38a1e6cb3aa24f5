"""passwd(5), group(5), shadow(5), gshadow(5) and login.defs(5): text to values and back, every other line kept as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

Record = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One colon-separated file. Comments, compat entries (``+::``), short lines and the order of lines survive."""

    lines: tuple[str, ...]
    fields: int
    """Fields of a proper record; lines with another count are only kept."""

    @staticmethod
    def parse(data: bytes, fields: int) -> Table:
        text = data.decode("utf-8", "surrogateescape")
        return Table(
            tuple(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n") if text else ()), fields
        )

    def render(self) -> bytes:
        return "".join(line + "\n" for line in self.lines).encode("utf-8", "surrogateescape")

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

    def _record(self, line: str) -> Record | None:
        parts = tuple(line.split(":"))
        return parts if len(parts) == self.fields and line[0] not in "#+-" and parts[0] else None


@dataclass(frozen=True)
class Accounts:
    """The four account files of one root."""

    passwd: Table
    group: Table
    shadow: Table
    gshadow: Table

    @staticmethod
    def parse(files: Mapping[str, bytes]) -> Accounts:
        """``files``: path (``/etc/passwd``) to content; a missing one is empty."""
        return Accounts(
            **{name: Table.parse(files.get(f"/etc/{name}", b""), count) for name, count in FIELDS.items()}
        )

    def render(self) -> dict[str, bytes]:
        return {f"/etc/{name}": table.render() for name, table in self._tables()}

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
        )


FIELDS: Mapping[str, int] = {"passwd": 7, "group": 4, "shadow": 9, "gshadow": 4}


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

        home_mode = settings.get("HOME_MODE", "")
        return Ranges(
            pair("UID", default.uid),
            pair("SYS_UID", default.system_uid),
            pair("GID", default.gid),
            pair("SYS_GID", default.system_gid),
            home_mode.zfill(4)[-4:] if re.fullmatch("[0-7]+", home_mode) else default.home_mode,
        )
