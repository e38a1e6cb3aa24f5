"""The machine under test, from inside it: runs that die at a chosen moment, and what is to be there after the next command."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import random
import re
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from holdfast.base.digests import Digest, hex_of
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.journal import read_journal
from holdfast.host.live import Live, open_live
from holdfast.host.steps import UnitJob
from holdfast.host.units import systemd
from holdfast.manifest.document import manifest_digest
from tests.host.crash.looking import HOME, Look, differences, look, main_process
from tests.host.crash.systems import FOREIGN, FOREIGN_LINKS, UNCHANGED

SPARED = ("ssh.service", "systemd-journald.service", UNCHANGED)
"""Nothing of these changes, so their processes must be the same ones afterwards."""
DISK = Path("/holdfast-disk")
"""A directory on the machine's disk, where it has one that forgets what was not written."""
_SHUTDOWN = 0x8004587D
_POWER_OFF = 0x4321FEDC
_BEGUN = "."
_SETTLES = 5.0
"""Seconds that a machine may take until it is what it is to become: systemd forks before it executes."""
_ONE_FILE = re.compile(r"(undo )?\d+-\d+")
Verb = Callable[[Live], object]


class Wrong(Exception):
    """The machine is not what it has to be."""


def blobs(digest: Digest) -> BinaryIO:
    return Path("/debs", hex_of(digest)).open("rb")


@contextmanager
def live() -> Iterator[Live]:
    with open_live(blobs=blobs) as opened:
        yield opened


def hurry() -> None:
    """Spend no time on what is not looked at.

    What is started here does not end at once, so it need not be watched for that; no garbage is worth a collection; and no
    generator makes any unit of ours, although all of them run at each daemon-reload, see systemd.generator(7).
    """
    gc.disable()
    systemd._SETTLE_SECONDS = 0.01
    masks = Path("/etc/systemd/system-generators")
    masks.mkdir(exist_ok=True)
    for generator in Path("/usr/lib/systemd/system-generators").iterdir():
        if not (masks / generator.name).is_symlink():
            (masks / generator.name).symlink_to("/dev/null")


@dataclass
class Subject:
    """A machine that goes between two definitions."""

    wanted: dict[str, Wanted]
    packages: bool = False
    """They change, too: only ``rollback`` takes packages back to what is older."""
    seen: dict[str, Look] = field(default_factory=dict)
    """What each is when nothing goes wrong."""
    numbers: dict[str, int] = field(default_factory=dict)
    """The generation that each is, when no run is open."""
    now: str = ""
    seconds: float = 0.0
    """What a whole run takes."""
    window: float = 0.0
    """What it takes from when the journal is there."""
    points: list[str] = field(default_factory=list)
    """Every place at which a run in either direction can be made to end, in order."""
    spared: dict[str, object] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    _began: float = 0.0
    _way: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.digests = {name: manifest_digest(wanted.manifest) for name, wanted in self.wanted.items()}

    # ----- whole runs

    def settle(self) -> None:
        """Go to both and back, so that all that is recorded once (ids, kept content) is recorded; note the last run."""
        hurry()
        make_foreign()
        ways: list[list[str]] = []
        for name in (*self.wanted, *self.wanted):
            self._way = []
            started = time.monotonic()
            with live() as machine:
                machine.checkpoint = self._note
                self.towards(name, "rollback" if self.packages and name in self.numbers else "switch")(
                    machine
                )
            self.now, self.seconds = name, time.monotonic() - started
            self.window = time.monotonic() - self._began
            time.sleep(0.1)
            with live() as machine:
                self.seen[name] = look(machine)
            self.forget_old()
            ways.append(self._way)
        self.points = [point for point in ways[-1] if point in set(ways[-2])]
        self.spared = spared()

    def _note(self, where: str) -> None:
        if not self._way:
            self._began = time.monotonic()
        self._way.append(where)

    @property
    def other(self) -> str:
        return next(name for name in self.wanted if name != self.now)

    def towards(self, name: str, verb: str) -> Verb:
        """``switch`` makes a new generation; ``rollback`` takes one that is there."""
        if verb == "rollback":
            number = self.numbers[name]
            return lambda machine: operations.rollback(machine, number)
        return lambda machine: operations.switch(machine, self.wanted[name])

    def forget_old(self) -> None:
        """Keep one generation of each, the current one if it is one."""
        with live() as machine:
            listed = operations.generations(machine)
            kept: dict[Digest, int] = {one.manifest: one.number for one in listed}
            kept.update({one.manifest: one.number for one in listed if one.current})
            for one in listed:
                if one.number != kept[one.manifest]:
                    operations.delete_generation(machine, one.number)
        self.find_numbers()

    def find_numbers(self) -> None:
        """The lowest of each: the highest may be of a run that is going to be taken back."""
        with live() as machine:
            listed = {one.manifest: one.number for one in reversed(operations.generations(machine))}
        self.numbers = {name: listed[digest] for name, digest in self.digests.items() if digest in listed}

    # ----- interrupted runs

    def recovered(self, verb: Verb, expected: tuple[str, ...]) -> None:
        """Do what a person does next, and see that the machine is one of ``expected``.

        Raises:
            Wrong: it is none of them; says in what.
        """
        with live() as machine:
            verb(machine)
        self.check(expected)

    def check(self, expected: tuple[str, ...]) -> None:
        deadline = time.monotonic() + _SETTLES
        while True:
            with live() as machine:
                found = look(machine)
                unfinished = read_journal(HOME)
            wrong = {
                name: differences(self._without_debris(found, name), self.seen[name]) for name in expected
            }
            same = [name for name, told in wrong.items() if not told]
            if same and not unfinished:
                break
            if time.monotonic() > deadline:
                told = "\n".join(f"as {name}:\n  " + "\n  ".join(lines[:25]) for name, lines in wrong.items())
                raise Wrong(f"{unfinished.what if unfinished else ''}\n{told}")
            time.sleep(0.05)
        if spared() != self.spared:
            raise Wrong(f"restarted: {spared()}, was {self.spared}")
        outcome = "old" if same[0] == self.now else "new"
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.now = same[0]

    def _without_debris(self, found: Look, name: str) -> Look:
        """Content that nothing needs any more goes with the next run that ends well."""
        return {**found, "kept": [one for one in found["kept"] if one in self.seen[name]["kept"]]}

    def next_command(self, chance: random.Random) -> tuple[str, Verb, tuple[str, ...]]:
        """What comes next: its name, what it does, and what the machine may be then."""
        target = chance.choice(list(self.wanted))
        verbs = [*["recover"] * 6, "rollback", "rollback" if self.packages else "switch"]
        which = chance.choice(verbs)
        if which == "recover":
            return which, operations.recover, tuple(self.wanted)
        return f"{which} to {target}", self.towards(target, which), (target,)


def make_foreign() -> None:
    """What is on the machine before Holdfast comes: files, and a unit that runs."""
    for path, text in FOREIGN.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    for path, target in FOREIGN_LINKS.items():
        if not Path(path).is_symlink():
            Path(path).symlink_to(target)
    with live() as machine:
        assert machine.systemd is not None
        machine.systemd.reload()
        machine.systemd.do([UnitJob("theirs.service", "start", "it is theirs")])


def spared() -> dict[str, object]:
    with live() as machine:
        assert machine.systemd is not None
        return {name: main_process(machine.systemd, name) for name in SPARED}


def is_one_file(place: str) -> bool:
    """Whether a checkpoint is that of one file among others."""
    return _ONE_FILE.fullmatch(place) is not None


def steps_of(points: list[str], stride: int) -> list[str]:
    """Every step and every part of the commit; of files, each ``stride``-th."""
    commit = max(
        (point.removeprefix("undo ").split("-")[0] for point in points if is_one_file(point)), key=int
    )
    return [
        point
        for index, point in enumerate(points)
        if not is_one_file(point) or point.startswith(f"{commit}-") or index % stride == 0
    ]


def die(
    verb: Verb, *, at: str | None = None, after: float = 0.0, begun: bool = False, power: bool = False
) -> bool:
    """Do something in a process that gets SIGKILL at checkpoint ``at``, or ``after`` so many seconds; whether that came in time.

    ``begun``: the seconds are counted from when the journal is there, before which nothing changes. ``power``: the machine dies with it.

    Raises:
        Wrong: it failed before that; says how.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _do_and_exit(verb, at, writing, cut_power if power else vanish)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        if at is None:
            descriptor = os.pidfd_open(child)
            if begun:
                said.peek(1)
            select.select([descriptor], [], [], after)
            os.close(descriptor)
            if power:
                cut_power()
            os.kill(child, signal.SIGKILL)
        told = said.read().decode().lstrip(_BEGUN)
        if power and not told:
            time.sleep(60)  # which is not going to last
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
        return True
    if told:
        raise Wrong(f"the run failed instead of being killed:\n{told}")
    return False


def _do_and_exit(verb: Verb, at: str | None, writing: int, end: Callable[[], None]) -> None:
    """``writing`` gets a byte when the journal is there, and the error if there is one."""

    def tell(where: str) -> None:
        if where == "journal" or where.startswith("undo"):
            os.write(writing, _BEGUN.encode())
            machine.checkpoint = lambda _where: None

    try:
        with live() as machine:
            machine.checkpoint = tell if at is None else ending(at, end)
            verb(machine)
    except BaseException as error:
        details = getattr(error, "details", "")
        os.write(writing, f"{traceback.format_exc()}\n{details}".encode()[:60000])
    finally:
        os._exit(0)


def vanish() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def cut_power() -> None:
    """What is not on the disk now is lost: the file system goes down as it is, see EXT4_IOC_SHUTDOWN, and the machine with it."""
    if DISK.exists():
        descriptor = os.open(DISK, os.O_RDONLY)
        fcntl.ioctl(descriptor, _SHUTDOWN, (2).to_bytes(4, sys.byteorder))  # EXT4_GOING_FLAGS_NOLOGFLUSH
    ctypes.CDLL(None).reboot(_POWER_OFF)  # reboot(2): of a PID namespace, it kills all that is in it, at once
    time.sleep(60)


def ending(at: str, end: Callable[[], object]) -> Callable[[str], None]:
    """A checkpoint that ends everything where ``at`` is reached."""

    def checkpoint(where: str) -> None:
        if where == at:
            end()

    return checkpoint
