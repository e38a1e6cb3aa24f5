"""The commands for machines on a root that does not run: nothing is installed on this machine, and nothing needs ssh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.cli.machines import Reach, machine_aims
from tests.cli.projects import CommandLine, write_project

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


def test_machines_are_those_of_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = 'systems = [System(name, modules=[module], distro=Debian("trixie"), target=f"root@{name}", tags={"web"}) for name in ("a", "b")]\n'
    path = write_project(tmp_path, BODY)
    path.write_text(path.read_text().rpartition("systems = ")[0] + homes)
    monkeypatch.chdir(tmp_path)
    reach = Reach((), (), False, 10, None, 10, None, None, None, False, False, ("tag:web", "a"))
    aims = machine_aims(reach)
    assert [(aim.host, aim.system and aim.system.name) for aim in aims] == [("root@a", "a"), ("root@b", "b")]
    assert [aim.host for aim in machine_aims(replace(reach, systems=()))] == ["local"]
