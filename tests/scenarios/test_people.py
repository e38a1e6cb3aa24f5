"""People's accounts, and what they have of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.library import Environment, Files, Users
from holdfast.library.files import File
from holdfast.options import Module
from tests.scenarios.host import Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

UNITS = ".config/systemd/user"
UNIT = "[Service]\nExecStart=/usr/bin/sleep infinity\n[Install]\nWantedBy=default.target\n"


def test_existing_group_members(host: Host) -> None:
    """Who was in a group stays in it; `deactivate` takes out the one whom the definition added, and nobody else."""
    machine = host.machine
    machine.succeed("groupadd team; useradd -M -G team,www-data bob; useradd -M eve")
    before = host.look()
    try:

        def members(m: Module) -> None:
            m[Users].users["ada"].groups = ["www-data"]
            m[Users].groups["team"].members = ["ada"]

        host.switch(members)
        assert sorted(members_of(host, "team")) == ["ada", "bob"]
        assert sorted(members_of(host, "www-data")) == ["ada", "bob"]
        machine.succeed("gpasswd --add eve team")  # by hand, meanwhile
        host.run("deactivate")
        assert members_of(host, "team") == ["bob", "eve"], "bob was there before, eve is somebody else's"
        assert members_of(host, "www-data") == ["bob"]
        machine.succeed("gpasswd --delete eve team")
        assert host.look() == before
    finally:
        host.deactivate()
        machine.succeed("userdel bob; userdel eve; groupdel team")


def members_of(host: Host, group: str) -> list[str]:
    return host.machine.succeed(["getent", "group", group]).strip().rpartition(":")[2].split(",")


def test_home_manager(host: Host, tmp_path: Path) -> None:
    """A person's own unit runs in their own service manager, their file is in their home, and their program on their PATH.

    There is no Home Manager: files below the home with the person as owner, `linger`, and `~/.local/bin` on the PATH do it.
    """
    machine = host.machine
    tool = tmp_path / "tool"
    tool.write_text("#!/bin/sh\necho of my own\n")
    tool.chmod(0o755)
    home = "/home/ann"

    def ann(m: Module) -> None:
        m[Users].users["ann"].linger = True
        m[Environment].path_prepend = ["~/.local/bin"]

        def hers(path: str) -> File:
            file = m[Files][f"{home}/{path}"]
            file.user = file.group = "ann"
            return file

        for directory in (".config", ".config/systemd", UNITS, f"{UNITS}/default.target.wants", ".local", ".local/bin"):  # fmt: skip
            hers(directory).directory = True
        hers(".config/app.conf").text = "color = red\n"
        hers(".local/bin/tool").source = tool
        hers(f"{UNITS}/hers.service").text = UNIT
        hers(f"{UNITS}/default.target.wants/hers.service").link = "../hers.service"

    def as_ann(command: str) -> str:
        return machine.succeed(["su", "-", "ann", "-c", f"XDG_RUNTIME_DIR=/run/user/$(id -u) {command}"])

    host.switch(ann)
    assert host.stat(f"{home}/.config/app.conf") == "644 ann:ann regular file"
    machine.wait_until_succeeds("pgrep -u ann -x sleep", timeout=10)
    assert as_ann("systemctl --user is-active hers.service") == "active\n"
    assert as_ann("tool") == "of my own\n"
    as_ann("systemctl --user stop hers.service")
    assert "othing to change" in host.switch(ann), "what she does with it is hers to decide"
    assert machine.failed_units() == ()
