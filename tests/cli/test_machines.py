"""The commands for machines on a root that does not run: nothing is installed on this machine, and nothing needs ssh."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.cli.machines import machine_aims
from holdfast.cli.reaching import Reach
from tests.cli.projects import CommandLine, write_project

pytestmark = pytest.mark.slow  # it starts programs or waits for them

BODY = 'm[Files]["/etc/greeting"].text = "hello\\n"\nm[Identity].locale = None\nm[Identity].timezone = None'
TWO = 'systems = [System(name, modules=[module], distro=Debian("trixie")) for name in ("a", "b")]\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small Debian that does not run."""
    from tests.host.roots import make_root

    return make_root(tmp_path / "root")


def test_targets_that_make_no_sense(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, BODY)
    path.write_text(path.read_text().rpartition("systems = ")[0] + TWO)
    assert "none of the systems is" in holdfast.fails("plan")
    assert "do not say which machine they are for: a, b" in holdfast.fails("plan", "*")
    assert "one system at a time" in holdfast.fails("plan", "*", "--target-host", "root@x.invalid")
    assert holdfast("plan", "a", "--root", str(tmp_path), "--target-host", "local") == 2
    assert "exclude each other" in holdfast.err
    assert "do not say which machine they are for: a" in holdfast.fails("status", "--system", "a")
    assert "has no tag 'web'" in holdfast.fails("rollback", "--system", "tag:web")
    assert holdfast("deactivate", "--system", "a", "--root", str(tmp_path)) == 2
    assert holdfast("generations", "prune", "--keep", "0") == 2
    assert holdfast("switch", "a", "--batch", "x") == 2
    assert "is no size of a batch" in holdfast.err
    for words in (("--ssh-option=-v",), ("--target-host", "a b"), ("--target-host=-oProxyCommand=reboot",)):
        assert holdfast("switch", "a", "--target-host", "x.invalid", *words) == 2
        assert "is no option of ssh_config" in holdfast.err or "is no machine" in holdfast.err


def test_one_machine_is_one_system(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, BODY)
    same = TWO.replace('"trixie")', '"trixie"), target="root@x.invalid"')
    path.write_text(path.read_text().rpartition("systems = ")[0] + same)
    for verb in ("plan", "switch", "boot"):
        assert "for the same machine root@x.invalid: a, b" in holdfast.fails(verb, "*")
    assert "several of the systems are for root@x.invalid" in holdfast.fails(
        "switch", "--target-host", "root@x.invalid"
    )
    assert (
        holdfast("rollback", "--system", "*", "--connect-timeout", "1") == 8
    )  # once: not two generations back
    assert "there is no machine of the name root@x.invalid" in holdfast.err
    for words in (("status",), ("switch", "a"), ("generations", "list"), ("deactivate",)):
        assert holdfast(*words, "--root", str(tmp_path), "--target-host", "local") == 2
        assert "exclude each other" in holdfast.err


def test_another_machine_does_not_become_this_one(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, BODY)
    here = f'systems = [System(name, modules=[module], distro=Debian("trixie")) for name in ({os.uname().nodename!r}, "b")]\n'
    path.write_text(path.read_text().rpartition("systems = ")[0] + here)
    assert "none of the systems is for root@x.invalid" in holdfast.fails(
        "switch", "--target-host", "root@x.invalid"
    )


@pytest.mark.slow
def test_what_a_definition_warns_of_is_told(holdfast: CommandLine, tmp_path: Path, root: Path) -> None:
    write_project(tmp_path, BODY + '\nm.warn("mind the gap")')
    assert holdfast("plan", "--root", str(root), "--json") == 0, holdfast.err
    assert "mind the gap" in holdfast.err
    json.loads(holdfast.out)


def test_who_looks_at_a_machine_says_how_to_reach_it(
    holdfast: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ssh").write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/words; echo "Connection refused" >&2; exit 255\n'
    )
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    way = ("--ssh-option", "Port=2222", "--connect-timeout", "3")
    for words in (
        ("facts", "--target-host", "ann@web"),
        ("init", "--from", "ann@web", "new"),
        ("import", "system-manager", "--target-host", "ann@web"),
    ):
        assert holdfast(*words, *way) == 8, holdfast.err
        said = (tmp_path / "words").read_text()
        assert "-o Port=2222" in said and "ConnectTimeout=3" in said
        (tmp_path / "words").unlink()
        assert holdfast(*words, "--ssh-option=-p2222") == 2
    assert holdfast("facts", "--target-host=-oProxyCommand=reboot") == 2
    assert holdfast("facts", "--target-host", "web", "--root", str(tmp_path)) == 2


def test_machines_are_those_of_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = 'systems = [System(name, modules=[module], distro=Debian("trixie"), target=f"root@{name}", tags={"web"}) for name in ("a", "b")]\n'
    path = write_project(tmp_path, BODY)
    path.write_text(path.read_text().rpartition("systems = ")[0] + homes)
    monkeypatch.chdir(tmp_path)
    reach = Reach((), (), False, 10, None, 10, None, None, None, False, False, ("tag:web", "a"))
    aims = machine_aims(reach)
    assert [(aim.host, aim.system and aim.system.name) for aim in aims] == [("root@a", "a"), ("root@b", "b")]
    assert [aim.host for aim in machine_aims(replace(reach, systems=()))] == ["local"]
