"""Runs inside a machine under test: random lives of what is managed there, each ending by giving everything back."""

from __future__ import annotations

import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.journal import read_journal
from holdfast.host.live import Live
from holdfast.host.planning.facts import read_recorded_state
from holdfast.manifest.document import write_manifest
from holdfast.manifest.model import (
    SCHEMA_VERSION,
    Directory,
    Distribution,
    Entry,
    Group,
    Identity,
    Link,
    Manifest,
    TextFile,
    Unit,
    User,
)
from tests.host.crash import subject
from tests.host.crash.looking import HOME, Look, differences, look, version
from tests.host.crash.subject import Wrong
from tests.host.crash.systems import SYSCTL

_PATHS = ("/etc/life/theirs", "/etc/life/a", "/etc/life/deep/b", "/srv/life", "/srv/life/c", "/opt/life/d/e")
_TIMER = "dpkg-db-backup.timer"
"""A packaged one that runs."""
_SYSTEM = Path("/etc/systemd/system")
_STEPS = (2, 7)
_SETTLES = 5.0


def _entry(chance: random.Random) -> Entry:
    kind = chance.randrange(4)
    if kind == 0:
        return Link(chance.choice(["theirs", "/nowhere"]))
    if kind == 1:
        return Directory(chance.choice(["0755", "0700"]))
    return TextFile(chance.choice(["one\n", "two\n"]), mode=chance.choice(["0644", "0600"]))


def _service(number: str, more: str = "") -> str:
    return f"[Service]\nEnvironment=VERSION={number}\n{more}ExecStart=/usr/bin/sleep infinity\n"


def a_manifest(chance: random.Random) -> Manifest:
    """Any definition."""
    units: dict[str, Unit] = {}
    wanted = ("multi-user.target",)
    for name in ("life-0.service", "life-1.service"):
        if chance.random() < 0.6:
            units[name] = Unit(_service(chance.choice("123")), wanted_by=wanted)
    if chance.random() < 0.3:
        units["life-socket.socket"] = Unit(
            "[Socket]\nListenStream=/run/life.sock\n", wanted_by=("sockets.target",)
        )
        units["life-socket.service"] = Unit(_service("1"))
    if chance.random() < 0.5:
        units["theirs.service"] = chance.choice(
            [
                Unit(_service("ours"), wanted_by=wanted),
                Unit(None, {"10-x.conf": "[Service]\nEnvironment=VERSION=dropin\n"}),
                Unit(_service("ours")),
            ]
        )
    if chance.random() < 0.3:
        units[_TIMER] = chance.choice([Unit(masked=True), Unit(enable=False)])
    users = {
        name: user
        for name, user in (
            ("ann", User(comment=chance.choice(["Ann", "Anna"]), groups=("crew",), hashed_password=chance.choice([None, "!a"]))),
            ("daemon-of-ours", User(system=True)),
            ("games", User(comment="changed", system=True)),
        )
        if chance.random() < 0.4
    }  # fmt: skip
    ttl = chance.choice(["60", "61"])
    sysctl = {SYSCTL: ttl} if chance.random() < 0.3 else {}
    files = {path: _entry(chance) for path in _PATHS if chance.random() < 0.4}
    if "/srv/life/c" in files and not isinstance(files.get("/srv/life"), Directory):
        files.pop("/srv/life", None)
    if sysctl:
        files["/etc/sysctl.d/60-holdfast.conf"] = TextFile(f"{SYSCTL} = {ttl}\n")
    return Manifest(
        SCHEMA_VERSION,
        "life",
        Distribution("debian", "trixie", "amd64"),
        Identity("life", None, None),
        files=files,
        units=units,
        users=users,
        groups={"crew": Group(members=chance.choice([(), ("games",)]))},
        tmpfiles=("d /run/life/x 0750 root root -",) if chance.random() < 0.3 else (),
        sysctl=sysctl,
    )


def _short(manifest: Manifest) -> str:
    document = json.loads(write_manifest(manifest))
    document = {key: document.get(key) for key in ("files", "units", "users", "groups", "tmpfiles", "sysctl")}
    units = {
        name: {key: value for key, value in unit.items() if value}
        for name, unit in (document["units"] or {}).items()
    }
    return json.dumps({**document, "units": units})


def current(machine: Live) -> int | None:
    """The current generation."""
    state = read_recorded_state(machine.root)
    return state.generation if state and state.active else None


@dataclass
class Life:
    """One life of one machine."""

    chance: random.Random
    pristine: Look
    told: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    """Units that somebody did something to by hand."""
    edits: int = 0

    def live(self) -> None:
        verbs: list[Callable[[Live], None]] = [self.switch, self.switch, self.switch, self.edit, self.edit]
        verbs += [self.edit, self.unit_by_hand, self.rollback, self.rollback, self.deactivate]
        self._do(self.switch)
        for _ in range(self.chance.randint(*_STEPS)):
            self._do(self.chance.choice(verbs))
        self._do(self.deactivate)

    def _do(self, verb: Callable[[Live], None]) -> None:
        with subject.live() as machine:
            try:
                verb(machine)
                if read_journal(HOME) is not None:
                    raise Wrong("a journal was left")
            except Exception as error:
                story = "\n  ".join([*self.told, f"{verb.__name__}: {type(error).__name__}: {error}"])
                raise Wrong(f"{story}\n{getattr(error, 'details', '')}") from error

    # ----- what can happen

    def switch(self, machine: Live) -> None:
        wanted = Wanted(a_manifest(self.chance))
        self.told.append(f"switch to {_short(wanted.manifest)}")
        if not self._made(lambda: operations.switch(machine, wanted)):
            return
        again = operations.plan(machine, wanted)
        if not again.empty:
            raise Wrong(f"the same once more is not nothing: {again.steps}")
        self._check_versions(machine, wanted.manifest)

    def rollback(self, machine: Live) -> None:
        numbers = [one.number for one in operations.generations(machine)]
        if not numbers:
            return
        number = self.chance.choice(numbers)
        self.told.append(f"rollback to {number}")
        if self._made(lambda: operations.rollback(machine, number)):
            if current(machine) != number:
                raise Wrong(f"generation {number} is not current")
            self._check_versions(machine, operations.show_generation(machine, number).manifest)

    def deactivate(self, machine: Live) -> None:
        if current(machine) is None:
            return
        self.told.append("deactivate")
        operations.deactivate(machine)
        deadline = time.monotonic() + _SETTLES
        while wrong := differences(look(machine, recorded=False), self.pristine):
            if time.monotonic() > deadline:
                raise Wrong("not as it was:\n  " + "\n  ".join(wrong[:25]))
            time.sleep(0.02)
        self.touched.clear()

    def edit(self, machine: Live) -> None:
        """By hand, on what is managed; then it is accepted, put back, or left as it is."""
        state = read_recorded_state(machine.root)
        if state is None or not state.active:
            return
        paths = [
            path
            for path in state.paths
            if path.startswith(("/etc/life", "/srv/life", "/opt/life", str(_SYSTEM)))
        ]
        files = [
            path
            for path in sorted(paths)
            if (Path(path).is_file() or Path(path).is_symlink()) and not path.endswith(f"/{_TIMER}")
        ]  # whoever takes a mask away by hand starts the unit, too
        if not files:
            return
        path = Path(self.chance.choice(files))
        what = self.chance.choice(["text", "text", "mode", "gone", "link"])
        self.edits += 1
        if what == "text" and not path.is_symlink():
            path.write_text(f"{path.read_text()}# by hand, {self.edits}\n")
        elif what == "mode" and not path.is_symlink():
            path.chmod(0o640)
        else:
            path.unlink()
            if what == "link":
                path.symlink_to(f"/nowhere-{self.edits}")
        if path.is_relative_to(_SYSTEM):
            self.touched |= {part for part in (path.name, path.parent.name.removesuffix(".d")) if "." in part}
            assert machine.systemd is not None
            machine.systemd.reload()
        then = self.chance.choice(["", "adopt", "repair", "repair"])
        self.told.append(f"by hand: {what} of {path}, then {then or 'nothing'}")
        if [one.path for one in operations.status(machine).drift if one.path == str(path)] != [str(path)]:
            raise Wrong(f"{path} is no drift: {operations.status(machine).drift}")
        if then == "repair":
            operations.repair(machine, [str(path)] if self.chance.random() < 0.5 else [])
        elif then == "adopt":
            operations.adopt(machine, [str(path)])
        if then and [one for one in operations.status(machine).drift if one.path == str(path)]:
            raise Wrong(f"{path} is still drift")

    def unit_by_hand(self, machine: Live) -> None:
        """An administrator stops what is ours, or adds a file of their own beside ours."""
        if self.chance.random() < 0.4:
            self.edits += 1
            path = f"/etc/life/by-hand-{self.edits}-{self.chance.randrange(10**9)}"
            Path(path).write_text("theirs\n")
            self.pristine["tree"][path] = look(machine, recorded=False)["tree"][path]
            self.told.append(f"by hand: {path}")
            return
        unit = f"life-{self.chance.randrange(2)}.service"
        self.told.append(f"by hand: systemctl stop {unit}")
        self.touched.add(unit)
        process.run(["systemctl", "stop", unit], check=False)

    # ----- what has to be

    def _made(self, work: Callable[[], object]) -> bool:
        """Whether it could be done: some definitions stand in the way of what is there."""
        try:
            work()
        except HoldfastError as error:
            if "cannot be made as it is defined" not in str(error):
                raise
            self.told.append("  refused")
            return False
        return True

    def _check_versions(self, machine: Live, manifest: Manifest) -> None:
        """What runs is what is defined."""
        assert machine.systemd is not None
        for name in ("life-0.service", "life-1.service", "theirs.service"):
            unit = manifest.units.get(name)
            if name in self.touched or (unit is None and name == "theirs.service"):
                continue
            text = "\n".join([unit.text or "", *unit.dropins.values()]) if unit else ""
            wanted = text.rpartition("VERSION=")[2].split("\n")[0] if text else ""
            deadline = time.monotonic() + _SETTLES
            while (found := version(machine.systemd, name) or "") != wanted:
                if time.monotonic() > deadline:
                    raise Wrong(f"{name} runs version {found!r}, not {wanted!r}")
                time.sleep(0.01)


def main() -> None:
    asked = json.load(sys.stdin)
    started = time.monotonic()
    subject.hurry()
    for directory in ("/etc/life", "/opt"):
        Path(directory).mkdir(exist_ok=True)
    Path("/etc/life/theirs").write_text("theirs\n")
    subject.make_foreign()
    with subject.live() as machine:
        pristine = look(machine, recorded=False)
    answer: dict[str, Any] = {"lives": 0, "steps": 0}
    for number in range(asked["first"], asked["first"] + asked["count"]):
        life = Life(random.Random(f"{asked['seed']} {number}"), pristine)
        try:
            life.live()
        except Exception as error:
            answer["wrong"] = f"life {number}: {error}"
            answer["trace"] = "".join(traceback.format_exc(chain=False))
            break
        answer["lives"] += 1
        answer["steps"] += len(life.told)
        with subject.live() as machine:
            operations.prune_generations(machine, 0)
    answer |= {"seconds": round(time.monotonic() - started, 1), "cpu": round(sum(os.times()[:4]), 1)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
