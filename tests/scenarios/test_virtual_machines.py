"""Scenarios of System Manager's tests in virtual machines, by their names.

Ours run in containers with the distribution's own systemd: nothing here needs a kernel of its own. `test_example` is the one of the virtual
machines; the container's is in another file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.library import Files, Sudo, Systemd, Users, Wrappers
from holdfast.options import Module
from tests.scenarios.far import behind_ssh
from tests.scenarios.host import Host
from tests.scenarios.people import do_as, person_with_sudo, said_as

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


def test_example(host: Host, tmp_path: Path) -> None:
    """Two generations with users, a secret and a service; a reboot between them; the account locked, shells as they were."""
    machine = host.machine
    encrypted = machine.execute(
        ["age", "--recipients-file", "/etc/ssh/ssh_host_ed25519_key.pub"], stdin=b"one\n"
    )
    (tmp_path / "secret.age").write_bytes(encrypted.stdout)
    shells = machine.succeed("cut -d: -f1,7 /etc/passwd")

    def first(m: Module) -> None:
        zoe = m[Users].users["hf-zoe"]
        zoe.shell = "/bin/sh"
        zoe.groups = ["sudo"]
        m[Files]["/etc/hf-secret"].secret = str(tmp_path / "secret.age")
        m[Files]["/etc/hf-secret"].user = "hf-zoe"
        service = m[Systemd].services["hf-service"]
        service.exec_start = ["/usr/bin/sleep", "infinity"]
        service.user = "hf-zoe"
        service.wanted_by = ["multi-user.target"]

    def second(m: Module) -> None:
        m[Files]["/etc/hf-second"].text = "2\n"

    host.switch(first)
    said_as(machine, "hf-zoe", "touch ~/left-behind")
    machine.reboot()
    machine.wait_for_unit("hf-service.service")
    assert said_as(machine, "hf-zoe", "cat /etc/hf-secret; id -nG") == "one\nhf-zoe sudo\n"
    assert machine.failed_units() == ()
    uid = machine.succeed("id -u hf-zoe")
    told = host.switch(second)
    home = machine.succeed("echo ~hf-zoe").strip()
    assert f"user 'hf-zoe' is locked, not deleted: {home} still belongs to it" in told
    assert machine.succeed("getent passwd hf-zoe | cut -d: -f3,7") == f"{uid.strip()}:/usr/sbin/nologin\n"
    assert machine.succeed("passwd --status hf-zoe").split()[1] == "L"
    machine.fail("id -nG hf-zoe | grep -w sudo || ls /etc/hf-secret || systemctl is-active hf-service")
    assert machine.read_file("/etc/hf-second") == "2\n"
    machine.succeed("rm -r ~hf-zoe")
    host.deactivate()
    assert machine.succeed("cut -d: -f1,7 /etc/passwd") == shells


def test_prepopulate(host: Host) -> None:
    """Files and units are put in place and nothing is started; the next boot starts them."""
    machine = host.machine

    def module(m: Module) -> None:
        m[Files]["/etc/hf-prepared"].text = "ready\n"
        service = m[Systemd].services["hf-prepared"]
        service.exec_start = ["/usr/bin/sleep", "infinity"]
        service.wanted_by = ["multi-user.target"]

    host.run("generations", "prepopulate", *host.bring(module))
    assert machine.read_file("/etc/hf-prepared") == "ready\n"
    assert machine.unit("hf-prepared.service").active_state == "inactive"
    machine.reboot()
    machine.wait_for_unit("hf-prepared.service")
    assert machine.failed_units() == ()


def test_security_wrappers(host: Host) -> None:
    """Copies with capabilities and setuid come before the distribution's programs in PATH, which stay as they are."""
    machine = host.machine

    def module(m: Module) -> None:
        m[Wrappers]["hf-id"].source = "/usr/bin/id"
        m[Wrappers]["hf-id"].setuid = True
        m[Wrappers]["cat"].capabilities = ["cap_dac_read_search"]

    host.switch(module)
    assert machine.succeed("sh -lc 'command -v cat; echo $PATH'").splitlines()[0] == "/run/wrappers/bin/cat"
    assert machine.succeed("getcap /run/wrappers/bin/cat").strip().endswith("cap_dac_read_search=ep")
    nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    assert machine.succeed(f"{nobody} /run/wrappers/bin/hf-id -u") == "0\n"
    machine.succeed(f"{nobody} /run/wrappers/bin/cat /etc/shadow")
    machine.fail(f"{nobody} /usr/bin/cat /etc/shadow")
    assert machine.succeed("stat -c %a /usr/bin/id; getcap /usr/bin/cat") == "755\n"
    host.switch()
    machine.fail("ls -A /run/wrappers | grep .")


def test_sudo(host: Host) -> None:
    """A person who is not root switches with sudo, and is told so without it.

    Ours: theirs is the flag --sudo of the same machine's command.
    """
    machine = host.machine

    def module(m: Module) -> None:
        m[Files]["/etc/motd.d/hf"].text = "hello\n"

    words = " ".join(host.bring(module))
    with person_with_sudo(machine, "hf-sue"):
        refused = do_as(machine, "hf-sue", f"holdfast switch {words}")
        advice = f"next: Run: sudo /usr/local/bin/holdfast switch {words}\n"
        assert refused.returncode != 0
        assert refused.stderr.decode().endswith(advice)
        said_as(machine, "hf-sue", advice.removeprefix("next: Run: "))
        assert machine.read_file("/etc/motd.d/hf") == "hello\n"
        assert "of scenario" in said_as(machine, "hf-sue", "sudo /usr/local/bin/holdfast status")


def test_sudo_module(host: Host) -> None:
    """Rules for users and groups hold; what sudo could not read takes the switch back; the distribution's sudoers stays."""
    machine = host.machine
    sudoers = machine.succeed("stat -c '%i %Y' /etc/sudoers; ls /etc/sudoers.d")

    def rules(m: Module) -> None:
        m[Users].users["hf-deploy"].comment = ""
        rule = m[Sudo].rules["restart"]
        rule.users = ["hf-deploy"]
        rule.commands = [["/usr/bin/systemctl", "restart", "hf.service"], ["/usr/bin/id"]]
        rule.no_password = True

    def broken(m: Module) -> None:
        m[Sudo].extra_config = "this is no rule\n"

    host.switch(rules)
    assert said_as(machine, "hf-deploy", "sudo -n id -u") == "0\n"
    assert do_as(machine, "hf-deploy", "sudo -n cat /etc/shadow").returncode == 1
    assert "restart hf.service" in said_as(machine, "hf-deploy", "sudo -n -l")
    told = host.switch(rules, broken, code=3)
    assert "/etc/sudoers.d/holdfast" in told and "as it was before" in told
    assert said_as(machine, "hf-deploy", "sudo -n id -u") == "0\n"
    host.deactivate()
    assert machine.succeed("stat -c '%i %Y' /etc/sudoers; ls /etc/sudoers.d") == sudoers


def test_target_host(host: Host, tmp_path: Path) -> None:
    """The author's command does it all over ssh, from the first switch to the last.

    Ours: the command itself, where theirs drives the engine by hand.
    """
    machine = host.machine
    with behind_ssh(machine, host.release, tmp_path) as author:
        author.define("one\n")
        author.run("switch")
        author.define("two\n")
        author.run("switch")
        assert machine.read_file("/etc/motd.d/hf") == "two\n"
        author.run("deactivate")
        assert not host.exists("/etc/motd.d/hf")
