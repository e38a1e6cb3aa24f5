"""OpenSSH: who is let in, what the client does, which hosts are known."""

from __future__ import annotations

import pytest

from holdfast.library import Ssh, Users
from holdfast.options import Module
from tests.scenarios.host import Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

KEY = "/run/scenario-key"
RUNIT = "/etc/runit/runsvdir/default/ssh"
LOGIN = "ssh -o BatchMode=yes ada@here"


def test_ssh(host: Host) -> None:
    """Known hosts, the client's configuration, a login and sftp, all of which dpkg-reconfigure leaves alone.

    sshd stays the distribution's own unit, and what we say to it is a drop-in: nothing is masked or run in its place.
    """
    machine = host.machine
    machine.succeed(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", KEY])
    public = machine.read_file(f"{KEY}.pub").strip()
    host_key = " ".join(machine.read_file("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    def ssh(m: Module) -> None:
        m[Users].users["ada"].comment = "Ada"
        server = m[Ssh].server
        server.enable = True
        server.ports = [2222]
        server.password_authentication = False
        server.authorized_keys["ada"] = [public]
        m[Ssh].known_hosts["here"].names = ["[127.0.0.1]:2222"]
        m[Ssh].known_hosts["here"].public_keys = [host_key]
        m[Ssh].client.hosts["here"] = {"HostName": "127.0.0.1", "Port": 2222, "IdentityFile": KEY}

    before = host.pid("ssh.service")
    assert "reload" in host.plan(ssh), host.plan(ssh)
    host.switch(ssh)
    assert host.pid("ssh.service") == before > 0, "reloaded: nobody is thrown out"
    machine.wait_for_open_port(2222)
    assert machine.succeed("ssh-keygen -F '[127.0.0.1]:2222' -f /etc/ssh/ssh_known_hosts")
    assert machine.succeed(f"{LOGIN} id -un") == "ada\n"
    settings = machine.succeed("sshd -T").lower().splitlines()
    assert "passwordauthentication no" in settings and "port 2222" in settings

    machine.succeed(f"echo over >/run/scenario-file; {_sftp('put /run/scenario-file /tmp/scenario-file')}")
    assert machine.succeed("stat -c %U /tmp/scenario-file; cat /tmp/scenario-file").split() == ["ada", "over"]
    assert machine.fail("ssh -o BatchMode=yes daemon@here true").returncode == 255

    there = host.exists(RUNIT)
    machine.succeed("DEBIAN_FRONTEND=noninteractive dpkg-reconfigure openssh-server 2>&1")
    if not there:
        machine.succeed(f"rm -f {RUNIT}")  # which some releases' package makes anew
    machine.wait_for_open_port(2222)
    assert machine.succeed(f"{LOGIN} id -un") == "ada\n"
    assert "othing to change" in host.switch(ssh)
    machine.succeed(f"rm -f {KEY} {KEY}.pub /run/scenario-file /tmp/scenario-file")
    machine.execute("loginctl terminate-user ada")  # who is logged in would be locked, not deleted
    machine.wait_until_fails("pgrep -u ada", timeout=20)

    host.run("deactivate")
    machine.wait_for_closed_port(2222)
    machine.wait_for_open_port(22)


def _sftp(command: str) -> str:
    return f"echo '{command}' | sftp -q -b - ada@here"
