"""Where the documentation's commands are typed: a reader's home with the project that pages go on with, and the machines they name."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from holdfast.base.locks import file_lock
from holdfast.base.process import run
from holdfast.machine import Machine
from holdfast.sandbox.root import Bind
from holdfast.store import Store
from tests.architecture.checkout import BIN, ROOT
from tests.deploy.hosts import behind_ssh
from tests.system.pages import HERE, Command, Shell

_TIMEOUT = 600
_HOST = re.compile(r"\bweb[1-3]\b")
_CHANGES = re.compile(
    r"\bholdfast (switch|boot|rollback|repair|adopt|deactivate|recover|confirm|generations (activate|delete|pr))"
)
_RELEASES = {(3, 11): "bookworm", (3, 13): "trixie"}
"""Whose python3 is the one that runs the tests."""


@dataclass(frozen=True)
class Here:
    """A shell of the reader's, on the machine that runs the tests."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, script: str) -> None:
        run(["bash", "-c", script], cwd=self.directory, env=self.environment, timeout=_TIMEOUT)


@dataclass(frozen=True)
class There:
    """A login of root's on a machine, where the checkout is at its place and ``holdfast`` is what `make setup` says it is."""

    machine: Machine

    def run(self, script: str) -> None:
        self.machine.execute(["bash", "-lc", script], timeout=_TIMEOUT)


def make_home(directory: Path) -> Path:
    """A reader's home directory, with a program in it for root, who needs no sudo(8)."""
    home = directory / "home"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (home / "bin" / "sudo").chmod(0o755)
    (home / "bin" / "holdfast").symlink_to(BIN / "holdfast")
    return home


def make_project(home: Path, store: Store) -> Path:
    """The project of the tutorial, as it is at the tutorial's end."""
    project = home / "first"
    project.mkdir()
    (project / "systems.py").write_bytes(
        files("holdfast.cli.templates").joinpath("container.py").read_bytes()
    )
    kept = store.root / "pages.lock"
    with file_lock(kept.with_suffix(".turn"), wait_seconds=_TIMEOUT, purpose="the lock of the tutorial"):
        if not kept.exists():
            run([BIN / "holdfast", "lock"], cwd=project, env={"HOLDFAST_STORE": str(store.root)})
            shutil.copy(project / "holdfast.lock", kept)
    shutil.copy(kept, project / "holdfast.lock")
    return project


def hosts_of(page: Sequence[Command]) -> tuple[str, ...]:
    """The machines that the commands of a page are typed on, or name where root of any is spoken of."""
    text = "\n".join(command.text for command in page)
    reached = set[str](_HOST.findall(text)) if "root@" in text else set[str]()
    return tuple(sorted(reached | {command.on for command in page} - {HERE}))


@contextmanager
def stage(
    page: Sequence[Command], here: Here, *, notes: Path, machine_root: Callable[[str], Path]
) -> Generator[Mapping[str, Shell]]:
    """The shells that a page needs, with the machines behind them."""
    names = hosts_of(page)
    if not names:
        changing = [command.text for command in page if _CHANGES.search(command.text)]
        assert not changing, f"this would change the machine that runs the tests: {changing}"
        yield {HERE: here}
        return
    local = {command.on for command in page} - {HERE}
    release = _RELEASES.get(sys.version_info[:2], "trixie") if local else "trixie"
    binds = {str(ROOT): Bind(ROOT), str(notes): Bind(notes, writable=True)} if local else {}
    home = Path(here.environment["HOME"])
    with behind_ssh(home, machine_root(release), names, binds=binds) as machines:
        for name, machine in machines.items():
            machine.write_file("/etc/hostname", f"{name}\n")
            machine.write_file("/etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n")
        for program in ("age", "age-keygen"):
            (home / "bin" / program).symlink_to(machine_root(release) / "usr/bin" / program)
        for name in local:
            machines[name].succeed(["ln", "-s", str(BIN / "holdfast"), "/usr/local/bin/"])
        yield {HERE: here, **{name: There(machine) for name, machine in machines.items()}}


def environment(home: Path, store: Store) -> Mapping[str, str]:
    return {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "HOLDFAST_STORE": str(store.root),
        "CHECKOUT": str(ROOT),  # for what sets the stage
    }
