from __future__ import annotations

import fcntl
import os
import py_compile
import stat
import sys
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, Message, listen
from holdfast.base.process import run
from holdfast.engine import launch
from holdfast.engine.about import About
from holdfast.engine.archive import contents_digest, pack
from holdfast.engine.installing import Installed, install


def make(path: Path, version: str) -> Path:
    contents = {
        "__main__.py": b"import sys; sys.stdout.write('engine %s' % " + repr(version).encode() + b")",
        "run": launch.RUN.encode(),
        "package/module.py": b"VALUE = 1\n",
        "package/too_new.py": b"def broken(:\n",
    }
    path.write_bytes(pack(contents, About(contents_digest(contents, version), version)))
    return path


class Machine:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.home = directory / "lib/holdfast/engine"
        self.launcher = directory / "bin/holdfast"

    def install(self, version: str) -> Installed:
        archive = make(self.directory / f"{version}.pyz", version)
        return install(archive, home=self.home, launcher=self.launcher)

    def engines(self) -> set[str]:
        return {entry.name for entry in self.home.iterdir() if entry.is_dir() and not entry.is_symlink()}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_it_is_unpacked_compiled_and_current(machine: Machine) -> None:
    done = machine.install("1")
    place = Path(done.path)
    assert done.new
    assert (machine.home / "current").resolve() == place
    assert list((place / "package/__pycache__").glob("module.*.pyc"))
    assert run(["sh", machine.home / "current/run"]).text == "engine 1"
    assert stat.S_IMODE(machine.launcher.stat().st_mode) == 0o755
    assert machine.launcher.read_text() == launch.COMMAND


def test_a_second_time_changes_nothing(machine: Machine) -> None:
    first = machine.install("1")
    inode = Path(first.path).stat().st_ino
    second = machine.install("1")
    assert not second.new
    assert Path(second.path).stat().st_ino == inode


def test_nothing_depends_on_the_umask(machine: Machine) -> None:
    before = os.umask(0o077)
    try:
        done = machine.install("1")
    finally:
        os.umask(before)
    for directory, _, names in os.walk(done.path):
        assert stat.S_IMODE(Path(directory).stat().st_mode) == 0o755
        for name in names:
            assert Path(directory, name).stat().st_mode & 0o444 == 0o444, name


def test_the_one_before_stays_and_older_ones_go(machine: Machine) -> None:
    names = [Path(machine.install(version).path).name for version in ("1", "2", "3")]
    assert machine.engines() == set(names[1:])
    assert machine.install("3").removed == ()
    assert machine.engines() == set(names[1:])
    assert Path(machine.install("2").path).name == names[1]
    assert (machine.home / "current").resolve().name == names[1]
    assert machine.engines() == set(names[1:])


def test_an_engine_that_runs_stays(machine: Machine) -> None:
    first = Path(machine.install("1").path)
    descriptor = os.open(first, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    machine.install("2")
    machine.install("3")
    assert first.is_dir()
    os.close(descriptor)
    assert machine.install("4").removed
    assert not first.exists()


def test_a_damaged_one_is_replaced(machine: Machine) -> None:
    done = machine.install("1")
    (Path(done.path) / "package/module.py").write_text("VALUE = 2\n")
    (Path(done.path) / "__main__.py").unlink()
    assert machine.install("1").new
    assert (Path(done.path) / "package/module.py").read_text() == "VALUE = 1\n"
    assert machine.engines() == {Path(done.path).name}


def test_what_an_interruption_left_is_removed(machine: Machine) -> None:
    machine.install("1")
    (machine.home / ".new-0123").mkdir()
    machine.install("2")
    assert not list(machine.home.glob(".new-*"))


def test_another_engine_than_expected_is_refused(machine: Machine) -> None:
    archive = make(machine.directory / "x.pyz", "1")
    with pytest.raises(HoldfastError, match="not"):
        install(archive, expected=digest_bytes(b"other"), home=machine.home, launcher=machine.launcher)
    assert not machine.home.exists()


def test_somebody_elses_command_stays(machine: Machine) -> None:
    machine.launcher.parent.mkdir(parents=True)
    machine.launcher.write_text("#!/bin/sh\necho mine\n")
    machine.install("1")
    assert "mine" in machine.launcher.read_text()


def test_a_disk_that_is_full_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object, **_more: object) -> None:
        raise OSError("os.write() didn't write the full pyc file")  # as importlib does

    monkeypatch.setattr(py_compile, "compile", full)
    with pytest.raises(HoldfastError, match="the disk is full"):
        machine.install("1")
    assert machine.engines() == set()


def test_the_authors_own_command_is_no_somebody_elses(machine: Machine) -> None:
    """On the author's own machine it may stand there: the README says so."""
    script = machine.directory / "author"
    script.write_text("#!/usr/bin/python3\nfrom holdfast.cli.main import main\nmain()\n")
    machine.launcher.parent.mkdir(parents=True)
    machine.launcher.symlink_to(script)
    told: list[Event] = []
    with listen(told.append):
        machine.install("1")
    assert machine.launcher.is_symlink()
    assert not [event for event in told if isinstance(event, Message)]


@pytest.mark.slow
def test_the_whole_engine_runs_isolated(engine_file: Path, tmp_path: Path) -> None:
    done = install(engine_file, home=tmp_path / "engine", launcher=tmp_path / "holdfast")
    said = run(["sh", f"{done.path}/run", "version"], cwd=tmp_path).text
    assert said.startswith("holdfast 0.0.test, engine")
    assert done.digest[7:19] in said


@pytest.mark.slow
def test_the_archive_itself_is_a_command(engine_file: Path) -> None:
    said = run([sys.executable, "-I", "-S", engine_file, "version", "--json"]).text
    assert '"version": "0.0.test"' in said
