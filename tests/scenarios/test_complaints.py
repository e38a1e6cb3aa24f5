"""What users of System Manager complained of or asked for, about activation: each as a test, named after what they wanted.

Numbers are those of issues and pull requests of numtide/system-manager. The others are in the files beside this one. Of all that
its users asked for, this has no meaning here, because it is about Nix itself: the versions of nixpkgs that go with a release, and its release
plan (#207, #490, #521); needing flakes less (#251). Whole desktop environments (#186) are the distribution's packages here.
Firewall rules (PR #356) are loaded, and let through what they shall, in `tests/system/test_examples.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.library import Files, Hooks, Systemd, Tmpfiles, Users, Wrappers
from holdfast.options import Module
from tests.scenarios.host import Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

ONE_RELEASE = pytest.mark.parametrize("release", ["trixie"])
"""For what is ours alone to do whatever the release, and for what scenarios show on all of them."""


def service(m: Module, name: str) -> None:
    """A service that runs until it is stopped."""
    m[Systemd].services[name].exec_start = ["/usr/bin/sleep", "infinity"]
    m[Systemd].services[name].wanted_by = ["multi-user.target"]


def file(m: Module, text: str) -> None:
    m[Files]["/etc/hf-file"].text = text


@ONE_RELEASE
def test_a_failed_activation_says_so_and_leaves_nothing_half_done(host: Host) -> None:
    """PR #378: services that failed to start, and errors in /etc, ended with 0 and half of the change in place."""
    machine = host.machine

    def fails(m: Module) -> None:
        file(m, "two\n")
        service(m, "hf-good")
        m[Systemd].services["hf-bad"].exec_start = ["/bin/sh", "-c", "echo its last words; exit 1"]
        m[Systemd].services["hf-bad"].type = "oneshot"
        m[Systemd].services["hf-bad"].wanted_by = ["multi-user.target"]

    host.switch(lambda m: file(m, "one\n"))
    told = host.switch(fails, code=3)
    assert "hf-bad.service" in told and "its last words" in told and "as it was before" in told
    assert machine.read_file("/etc/hf-file") == "one\n"
    assert machine.unit("hf-good.service").load_state == "not-found"
    assert machine.failed_units() == ()


@ONE_RELEASE
def test_an_aborted_activation_leaves_no_orphans_and_is_not_refused_later(host: Host) -> None:
    """#541, PR #553: what was killed midway left links that no state knew, and that were refused as somebody else's from then on."""

    def wanted(m: Module) -> None:
        file(m, "new\n")
        service(m, "hf-service")

    def killed(m: Module) -> None:
        service(m, "hf-service")
        m[Files]["/etc/hf-killed"].text = "new\n"
        m[Hooks].after_switch = [["/bin/sh", "-c", "kill -KILL $PPID"]]

    told = host.switch(killed, code=4)
    assert "was killed before it could finish" in told
    assert host.exists("/etc/hf-killed"), "it was killed with everything in place but the record"
    assert "was interrupted" in host.run("status")
    assert "was taken back" in host.switch(wanted)
    assert (host.exists("/etc/hf-killed"), host.state("hf-service.service")) == (False, "active")
    host.switch(killed, code=4)
    host.run("recover")
    assert (host.exists("/etc/hf-killed"), host.exists("/etc/hf-file")) == (False, True)


@ONE_RELEASE
def test_broken_links_break_nothing(host: Host, tmp_path: Path) -> None:
    """PR #493: one dangling link, in a tree of one's own or in what was there, ended the stage of /etc or that of tmpfiles."""
    machine = host.machine
    machine.succeed(
        "mkdir /etc/hf; ln -s /nowhere /etc/hf/broken; ln -s loop /etc/hf/loop; ln -s /nowhere /etc/tmpfiles.d/hf.conf"
    )
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/dangling").symlink_to("not/there")
    (tmp_path / "tree/file").write_text("in the tree\n")

    def module(m: Module) -> None:
        m[Files]["/etc/hf/broken"].text = "whole\n"
        m[Files]["/etc/hf/loop"].text = "straight\n"
        m[Files]["/etc/hf/tree"].source = str(tmp_path / "tree")
        m[Tmpfiles].rules = ["d /run/hf-made"]

    try:
        host.switch(module)
        assert machine.succeed("cd /etc/hf; cat broken loop tree/file; readlink tree/dangling") == (
            "whole\nstraight\nin the tree\nnot/there\n"
        )
        machine.succeed("test -d /run/hf-made")
        host.deactivate()
        assert machine.succeed("readlink /etc/hf/*") == "/nowhere\nloop\n"
    finally:
        machine.succeed("rm -r /etc/hf /etc/tmpfiles.d/hf.conf")


@ONE_RELEASE
def test_uninstalling_leaves_every_shell_and_every_setuid_program_working(host: Host) -> None:
    """#371, PR #377, PR #402: afterwards shells pointed to what was gone, and setuid helpers ran no more."""
    machine = host.machine
    machine.succeed("useradd -m -s /bin/sh hf-old")

    def module(m: Module) -> None:
        m[Users].users["hf-old"].shell = "/bin/bash"
        m[Users].users["hf-new"].shell = "/bin/bash"
        m[Wrappers]["su"].setuid = True
        service(m, "hf-service")

    try:
        host.switch(module)
        assert machine.succeed("getent passwd hf-old").strip().endswith(":/bin/bash")
        host.deactivate()
        assert machine.succeed("getent passwd hf-old").strip().endswith(":/bin/sh")
        machine.fail("getent passwd hf-new || ls -A /run/wrappers | grep .")
        assert machine.succeed("runuser -u hf-old -- stat -c %A /usr/bin/su")[:4] == "-rws"
        for shell in set(machine.succeed("cut -d: -f7 /etc/passwd").split()) - {"/usr/sbin/nologin"}:
            machine.succeed(["test", "-x", shell])
        assert "nothing" in host.run("status")
    finally:
        machine.succeed("userdel -r hf-old")


@ONE_RELEASE
def test_a_file_that_was_there_before_comes_back(host: Host) -> None:
    """#267: an existing nix.conf was in the way, or was lost when the entry was dropped again."""
    machine = host.machine
    machine.succeed("echo mine >/etc/hf-file; chmod 640 /etc/hf-file; chgrp adm /etc/hf-file")
    before = machine.succeed("stat -c '%a %U %G' /etc/hf-file")
    try:
        for give_back in (host.switch, host.deactivate):
            host.switch(lambda m: file(m, "ours\n"))
            assert machine.succeed("cat /etc/hf-file; stat -c '%a %G' /etc/hf-file") == "ours\n644 root\n"
            give_back()
            assert machine.read_file("/etc/hf-file") == "mine\n"
            assert machine.succeed("stat -c '%a %U %G' /etc/hf-file") == before
    finally:
        machine.succeed("rm /etc/hf-file")


@ONE_RELEASE
def test_nothing_is_gone_after_a_reboot(host: Host) -> None:
    """#170: with /nix mounted late, programs and units were gone after a reboot. Ours are files where the distribution keeps its own."""
    machine = host.machine

    def module(m: Module) -> None:
        file(m, "here\n")
        service(m, "hf-service")
        m[Users].users["hf-ann"].comment = "Ann"
        m[Wrappers]["hf-id"].source = "/usr/bin/id"
        m[Wrappers]["hf-id"].setuid = True

    host.switch(module)
    machine.reboot()
    machine.wait_for_unit("hf-service.service")
    assert machine.read_file("/etc/hf-file") == "here\n"
    assert machine.succeed("runuser -u hf-ann -- sh -lc 'hf-id -u'") == "0\n"
    assert machine.failed_units() == ()
    assert "as it was put there" in host.run("status")


@ONE_RELEASE
def test_a_slow_daemon_reload_is_waited_for(host: Host) -> None:
    """PR #381: calls of systemd had 10 seconds, and a slower daemon-reload ended the activation with nothing recorded."""
    machine = host.machine
    generator = "/run/systemd/system-generators/hf-slow"
    machine.write_file(generator, "#!/bin/sh\nsleep 11\n")
    machine.succeed(f"chmod +x {generator}")
    try:
        host.switch(lambda m: service(m, "hf-service"))
    finally:
        machine.succeed(f"rm {generator}")
    assert machine.unit("hf-service.service").active_state == "active"


@ONE_RELEASE
def test_it_works_without_a_bus(host: Host) -> None:
    """PR #513: without a running bus nothing could be activated."""
    machine = host.machine
    machine.systemctl("stop", "dbus.socket", "dbus.service")
    try:
        host.switch(lambda m: service(m, "hf-service"))
        assert machine.unit("hf-service.service").active_state == "active"
        assert machine.unit("dbus.service").active_state == "inactive"
    finally:
        machine.systemctl("start", "dbus.socket", "dbus.service")
        machine.systemctl("restart", "systemd-logind.service")  # it does not look for a new bus by itself


@ONE_RELEASE
def test_there_are_a_dry_run_and_a_rollback(host: Host) -> None:
    """The manual of System Manager has neither; home-manager #1114, colmena #38, deploy-rs #81, nixos-cli #31 ask for them."""
    machine = host.machine

    def second(m: Module) -> None:
        file(m, "two\n")
        service(m, "hf-service")

    host.switch(lambda m: file(m, "one\n"))
    planned = host.switch(second, options=("--dry-run", "--detailed-exitcode"), code=7)
    assert "-one" in planned and "+two" in planned and "hf-service.service" in planned
    assert machine.read_file("/etc/hf-file") == "one\n"
    assert machine.unit("hf-service.service").load_state == "not-found"
    host.switch(second)
    assert "Back at generation" in host.run("rollback")
    assert machine.read_file("/etc/hf-file") == "one\n"
    assert machine.unit("hf-service.service").load_state == "not-found"
