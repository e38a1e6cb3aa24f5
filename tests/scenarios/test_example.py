"""The example: a bit of everything at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.library import Files, Packages, Systemd, Tmpfiles, Users
from holdfast.options import Module
from tests.scenarios.host import Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


def people(m: Module) -> None:
    m[Users].users["ada"].comment = "Ada"
    m[Users].users["ada"].create_home = False
    m[Users].groups["crew"].members = ["ada"]


def files(m: Module) -> None:
    m[Files]["/etc/example/text"].text = "text\n"
    m[Files]["/etc/example/text"].mode = "0640"
    m[Files]["/etc/example/text"].user = "ada"
    m[Files]["/etc/example/text"].group = "crew"
    m[Files]["/etc/example/link"].link = "text"
    m[Files]["/etc/example/data.json"].json = {"a": [1, 2]}
    m[Files]["/etc/default/example"].key_value["OPTION"] = "a b"
    m[Files]["/srv/example"].directory = True
    m[Files]["/srv/example"].mode = "2770"
    m[Files]["/srv/example"].group = "crew"
    m[Tmpfiles].settings["/run/example"]["d"].mode = "0750"
    m[Tmpfiles].settings["/run/example"]["d"].user = "ada"
    m[Tmpfiles].rules = ["f /run/example/file 0600 ada crew - content"]


def daemon(m: Module) -> None:
    m[Packages].install = ["cron", "tzdata"]
    service = m[Systemd].services["example"]
    service.exec_start = ["/usr/bin/sleep", "infinity"]
    service.user = "ada"
    service.runtime_directory = ["example-service"]
    service.wanted_by = ["multi-user.target"]


def more(m: Module) -> None:
    once = m[Systemd].services["example-once"]
    once.script = "touch /run/example-ran\n"
    once.type = "oneshot"
    once.remain_after_exit = True
    once.requires = once.after = ["example.service"]
    once.wanted_by = ["multi-user.target"]
    m[Systemd].timers["example-tick"].on_calendar = ["yearly"]
    m[Systemd].services["example-tick"].exec_start = ["/usr/bin/true"]
    m[Systemd].sockets["example-door"].listen_stream = ["/run/example-door"]
    m[Systemd].services["example-door"].exec_start = ["/usr/bin/true"]


def test_example(host: Host, tmp_path: Path) -> None:
    """Services, packages, kinds of files, their owners (accounts of the very same switch among them) and tmpfiles.

    The packages are those of Debian, and here already: the switch finds nothing to install.
    """
    machine = host.machine
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin" / "tool").write_text("#!/bin/sh\necho held fast\n")
    (tree / "bin" / "tool").chmod(0o755)
    (tree / "page").write_text("page\n")

    def sources(m: Module) -> None:
        m[Files]["/opt/example"].source = tree

    host.switch(people, files, daemon, more, sources)
    assert host.stat("/etc/example/text") == "640 ada:crew regular file", "also on the first run"
    assert machine.succeed(["readlink", "/etc/example/link"]).strip() == "text"
    assert machine.read_file("/etc/example/data.json") == '{\n  "a": [\n    1,\n    2\n  ]\n}\n'
    assert machine.read_file("/etc/default/example") == 'OPTION="a b"\n'
    assert host.stat("/srv/example") == "2770 root:crew directory"
    assert host.stat("/opt/example/page") == "644 root:root regular file"
    assert machine.succeed(["/opt/example/bin/tool"]) == "held fast\n"
    assert host.stat("/run/example") == "750 ada:root directory"
    assert host.stat("/run/example/file") == "600 ada:crew regular file"
    assert machine.read_file("/run/example/file") == "content"
    assert machine.succeed("id -nG ada").split() == ["ada", "crew"]

    running = host.pid("example.service")
    assert machine.succeed(["stat", "-c", "%U", f"/proc/{running}"]).strip() == "ada"
    assert host.state("example-once.service") == "active" and host.exists("/run/example-ran")
    assert machine.unit("example-tick.timer").sub_state == "waiting"
    assert machine.unit("example-door.socket").sub_state == "listening"
    assert machine.failed_units() == ()

    assert "othing to change" in host.switch(people, files, daemon, more, sources)
    assert host.pid("example.service") == running
    host.switch(people, files, daemon)
    assert host.state("example-once.service") == "inactive" and host.pid("example.service") == running
    assert host.state("example-door.socket") == "inactive"
    assert not host.exists("/opt/example") and not host.exists("/etc/systemd/system/example-door.socket")
