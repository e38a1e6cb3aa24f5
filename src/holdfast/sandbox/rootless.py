"""Root's rights over subordinate ids, for an ordinary user: a user namespace, entered once by the whole process.

Inside, uid 0 is the user and 1, 2, ... are the ids that subuid(5) and subgid(5) give to them. The kernel then allows all that
making a root file system takes (user_namespaces(7)), and files look as they would to root: owners, set-user-ID bits,
capabilities. So nothing above this needs to know, and layers come out the same.
"""

from __future__ import annotations

import os
import pwd
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.base import process
from holdfast.base.environment import BASE_ENVIRONMENT
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.sandbox import kernel

NEEDED_IDS = 65535
"""With the user's own id the 65536 that distributions use; 65534 is nobody."""

_PROGRAMS = ("newuidmap", "newgidmap", "getsubids")
_SWITCHES = (
    # Setting, what refuses, what allows: Debian's own, Ubuntu's own, everybody's.
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
    ("user.max_user_namespaces", "0", "10000"),
)
_LONGEST_MAP = 339  # user_namespaces(7): 340 lines, one of which is the user's own
_SCRIPT = 'read -r go <&"$1" || exit 3; newuidmap "$2" $3 && newgidmap "$2" $4'
"""Runs outside: the two programs have their rights from file capabilities or set-user-ID bits, which count nothing inside."""


@dataclass(frozen=True)
class Range:
    """Consecutive ids that belong to a user beside their own."""

    first: int
    count: int


@dataclass(frozen=True)
class Subordinates:
    """What subuid(5) and subgid(5) give to one user."""

    uids: tuple[Range, ...]
    gids: tuple[Range, ...]


def subordinates() -> Subordinates:
    """The calling user's subordinate ids, from files or whatever nsswitch.conf names.

    Raises:
        HoldfastError: there are none or too few, the user has no name, or the programs are not installed; says how to mend it.
    """
    missing = [
        program for program in _PROGRAMS if shutil.which(program, path=BASE_ENVIRONMENT["PATH"]) is None
    ]
    if missing:
        raise HoldfastError(
            f"building without root needs {' and '.join(missing)}",
            resolution="Install the package that has them (`sudo apt-get install uidmap`), or run the command with sudo.",
        )
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        raise HoldfastError(
            f"uid {os.getuid()} has no name, and subordinate ids are given to names",
            resolution="Run the command as a user that /etc/passwd has, or with sudo.",
        ) from None
    found = Subordinates(
        parse_ranges(process.run(["getsubids", user], check=False).text),
        parse_ranges(process.run(["getsubids", "-g", user], check=False).text),
    )
    few = min(_total(found.uids), _total(found.gids))
    if few < NEEDED_IDS:
        raise HoldfastError(
            f"the user {user} has {few or 'no'} subordinate ids, and a system's files need {NEEDED_IDS}",
            details="Building without root gives files to them as it would to the system's own users (subuid(5), subgid(5)).",
            resolution=f"Run `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}` "
            "(other numbers if another user has these), or run the command with sudo.",
        )
    return found


def parse_ranges(text: str) -> tuple[Range, ...]:
    """What getsubids(1) prints: ``0: NAME FIRST COUNT``, one line per range."""
    rows = [line.split() for line in text.splitlines()]
    return tuple(Range(int(row[2]), int(row[3])) for row in rows if len(row) == 4)[:_LONGEST_MAP]


def mapping(own: int, ranges: Sequence[Range]) -> str:
    """Arguments of newuidmap(1) or newgidmap(1) that make ``own`` 0 and the ranges what follows it."""
    words = [f"0 {own} 1"]
    inside = 1
    for each in ranges:
        words.append(f"{inside} {each.first} {each.count}")
        inside += each.count
    return " ".join(words)


def _total(ranges: Sequence[Range]) -> int:
    return sum(each.count for each in ranges)


def become_root() -> None:
    """Enter a user namespace, in which the calling process and all it starts are root; for a process without other threads.

    Files of its user are then root's. There is no way back.

    Raises:
        HoldfastError: no subordinate ids, or the kernel does not allow it; says how to mend it.
    """
    ids = subordinates()
    assert threading.active_count() == 1, "the kernel lets only a single thread enter a user namespace"
    uids, gids = mapping(os.getuid(), ids.uids), mapping(os.getgid(), ids.gids)
    reading, writing = os.pipe()
    answers, answering = os.pipe()
    with os.fdopen(answers, "rb") as stream:
        try:
            with process.spawn(
                ["sh", "-c", _SCRIPT, "holdfast", str(reading), str(os.getpid()), uids, gids],
                output=answering,
                pass_fds=[reading],
            ) as helper:
                _unshare()
                os.write(writing, b"go\n")
                code = helper.wait()
        finally:
            for descriptor in (reading, writing, answering):
                os.close(descriptor)
        said = stream.read().decode(errors="replace").strip()
    if code != 0:
        raise HoldfastError("newuidmap and newgidmap do not map the subordinate ids", details=said)
    _expect_mounting()


def _unshare() -> None:
    try:
        # With a mount namespace: the first one must be ours too, or no thread could come back to it.
        kernel.unshare(kernel.CLONE_NEWUSER | kernel.CLONE_NEWNS)
    except OSError as error:
        raise HoldfastError(
            f"the kernel does not allow a user namespace here: {error.strerror}",
            resolution=f"{allow_namespaces()} Or run the command with sudo.",
        ) from None


def _expect_mounting() -> None:
    try:
        kernel.mount("none", "/", flags=kernel.MS_REC | kernel.MS_SLAVE)
    except OSError as error:  # AppArmor lets the namespace be made and takes all rights in it away
        raise HoldfastError(
            f"the kernel gives no rights in a user namespace: {error.strerror}",
            resolution=f"{allow_namespaces()} Or run the command with sudo.",
        ) from None


def allow_namespaces() -> str:
    """What to do so that ordinary users may have user namespaces: which switch of this kernel stands on no."""
    wanted: list[str] = []
    for name, refusing, allowing in _SWITCHES:
        with suppress(OSError):
            if Path("/proc/sys", name.replace(".", "/")).read_text().strip() == refusing:
                wanted.append(f"{name}={allowing}")
    if wanted:
        return f"Run `sudo sysctl -w {' '.join(wanted)}`."
    return "Whoever runs this container or machine must allow user namespaces in it."


def outer_uid() -> int:
    """Who this process's user is outside of its user namespace: after :func:`become_root` the person who called it."""
    own = os.geteuid()
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, outside, count = map(int, line.split())
        if inside <= own < inside + count:
            return outside + own - inside
    return own
