"""The commands for machines on a root that does not run: nothing is installed on this machine, and nothing needs ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

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
    assert "is no size of a batch" in holdfast.fails("switch", "a", "--batch", "x")
    assert "is no option of ssh_config" in holdfast.fails(
        "switch", "a", "--target-host", "x.invalid", "--ssh-option=-v"
    )
