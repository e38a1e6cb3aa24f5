"""Secrets on a real machine, encrypted by a real age: what they become, who sees them, and that their content is nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from holdfast.library import Files, Systemd
from holdfast.machine import Settings, boot_layers
from holdfast.options import Module
from holdfast.store import Store
from tests.scenarios.host import NAME, Host

pytestmark = pytest.mark.system

TOKEN, NEXT, SSH, EDITED = "plain-token-1f7a", "plain-token-9c2e", "plain-by-ssh-55d0", "plain-by-hand-77aa"


@pytest.fixture(scope="module")
def host(machine_root: Callable[[str], Path], shared_store: Store) -> Generator[Host]:
    with boot_layers((machine_root("trixie"),), settings=Settings(name=NAME)) as machine:
        host = Host(machine, "trixie", shared_store)
        host.install_engine()
        for name in ("mine", "other"):
            machine.succeed(
                f"age-keygen -o /root/{name}.key 2>/dev/null; age-keygen -y /root/{name}.key > /root/{name}.pub"
            )
        machine.succeed("ssh-keygen -q -t ed25519 -N '' -f /root/ssh_key")
        host.machine.succeed("mkdir /etc/app")
        yield host


def _encrypt(host: Host, tmp_path: Path, text: str, recipient: str) -> str:
    """The path of a file here with what age made of ``text`` over there."""
    done = host.machine.execute(
        ["age", "--armor", "--recipients-file", f"/root/{recipient}.pub"], stdin=text.encode()
    )
    path = tmp_path / f"{text}-{recipient}.age"
    path.write_bytes(done.stdout)
    return str(path)


def _definition(token: str, ssh: str) -> Callable[[Module], None]:
    def module(m: Module) -> None:
        m[Files]["/etc/app/token"].secret = token
        m[Files]["/etc/app/token"].identities = ["/root/nowhere.key", "/root/mine.key"]
        m[Files]["/etc/app/token"].group = "daemon"
        m[Files]["/etc/app/token"].mode = "0440"
        m[Files]["/etc/app/by-ssh"].secret = ssh
        m[Files]["/etc/app/by-ssh"].identities = ["/root/ssh_key"]
        uses = m[Systemd].services["uses"]
        uses.exec_start = [
            "/bin/sh",
            "-ec",
            "cat $CREDENTIALS_DIRECTORY/token > /run/got; exec sleep infinity",
        ]
        uses.load_credential = ["token:/etc/app/token"]
        uses.restart_triggers = ["/etc/app/token"]
        uses.wanted_by = ["multi-user.target"]
        m[Systemd].services["idle"].exec_start = ["/bin/sleep", "infinity"]
        m[Systemd].services["idle"].wanted_by = ["multi-user.target"]

    return module


def _nowhere(host: Host, *texts: str) -> None:
    """Nothing of Holdfast's, and no log, has any of them."""
    told = (
        host.run("status", "--json") + host.run("generations", "show", "1") + host.run("facts", "--contents")
    )
    for text in texts:
        assert text not in told
        assert not host.machine.execute(["grep", "-rlF", text, "/var/lib/holdfast", "/run/holdfast"]).text
        assert not host.machine.execute(f"journalctl --quiet --output=verbose | grep -F {text}").text


def test_secrets_are_decrypted_there_and_nowhere_else(host: Host, tmp_path: Path) -> None:
    machine = host.machine
    ssh = _encrypt(host, tmp_path, SSH, "ssh_key")
    first = _definition(_encrypt(host, tmp_path, TOKEN, "mine"), ssh)
    assert "decrypt /etc/app/token (age)" in host.plan(first)
    assert TOKEN not in host.switch(first, options=("--verbose",))
    assert (
        machine.read_file("/etc/app/token") == TOKEN
        and host.stat("/etc/app/token") == "440 root:daemon regular file"
    )
    assert (
        machine.read_file("/etc/app/by-ssh") == SSH
        and host.stat("/etc/app/by-ssh") == "400 root:root regular file"
    )
    machine.wait_until_succeeds(f"grep -x {TOKEN} /run/got")
    assert host.stat("/var/lib/holdfast/host/secrets/key") == "600 root:root regular file"
    assert "Nothing to change" in host.switch(first)
    _nowhere(host, TOKEN, SSH)
    # Another content: only that file, and who says that it depends on it.
    second = _definition(_encrypt(host, tmp_path, NEXT, "mine"), ssh)
    planned = host.plan(second)
    assert "~ /etc/app/token  (declared secret)" in planned and "content changes (secret)" in planned
    assert "by hand" not in planned and "by-ssh" not in planned and "1 file, 1 unit" in planned
    uses, idle, inode = (
        host.pid("uses.service"),
        host.pid("idle.service"),
        machine.succeed("stat -c %i /etc/app/by-ssh"),
    )
    host.switch(second)
    assert (
        machine.read_file("/etc/app/token") == NEXT and machine.succeed("stat -c %i /etc/app/by-ssh") == inode
    )
    assert host.pid("uses.service") != uses and host.pid("idle.service") == idle
    machine.wait_until_succeeds(f"grep -x {NEXT} /run/got")
    _nowhere(host, TOKEN, NEXT)
    # Changed by hand: told without its content or digest, and put right; no copy is kept.
    machine.write_file("/etc/app/token", EDITED)
    (drift,) = json.loads(host.execute("status", "--json").stdout)["drift"]
    assert (
        drift["path"] == "/etc/app/token" and drift["what"] == "changed" and drift["found"] == drift["wanted"]
    )
    assert "~ /etc/app/token  (content)" in host.run("status")
    assert "was changed by hand" in host.plan(second)
    host.run("repair", "/etc/app/token")
    assert machine.read_file("/etc/app/token") == NEXT
    machine.write_file("/etc/app/token", EDITED)
    host.run("repair")
    assert machine.read_file("/etc/app/token") == NEXT and "as it was put there" in host.run("status")
    _nowhere(host, EDITED, NEXT)
    # Back, and all the way.
    host.run("rollback")
    assert machine.read_file("/etc/app/token") == TOKEN
    host.run("deactivate")
    assert not host.exists("/etc/app/token") and not host.exists("/var/lib/holdfast/host/secrets")
    _nowhere(host, TOKEN, NEXT, SSH)


def test_what_cannot_be_decrypted_is_refused_before_anything_is_done(host: Host, tmp_path: Path) -> None:
    good = _encrypt(host, tmp_path, TOKEN, "mine")
    ssh = _encrypt(host, tmp_path, SSH, "ssh_key")
    host.switch(_definition(good, ssh))
    before = host.look()
    other = _definition(_encrypt(host, tmp_path, NEXT, "other"), ssh)
    told = host.switch(other, code=5)
    assert "/etc/app/token cannot be decrypted: " in told and "no identity matched" in told, told
    assert "must be encrypted for one of: /root/mine.key" in told and "Nothing was changed" in told
    assert "This would be refused:" in host.plan(other) and host.look() == before
    sops = tmp_path / "sops.yaml"
    sops.write_text("key: ENC[AES256_GCM,data:xx,type:str]\nsops:\n  version: 3.9.0\n")
    told = host.switch(_definition(str(sops), ssh), code=5)
    assert (
        "sops is not installed on this machine" in told
        and "/usr/local/bin/sops" in told
        and host.look() == before
    )
    host.machine.succeed("mv /root/mine.key /root/away.key")
    told = host.switch(_definition(_encrypt(host, tmp_path, NEXT, "mine"), ssh), code=5)
    assert (
        "none of its identities is on this machine: /root/nowhere.key; /root/mine.key" in told
        and host.look() == before
    )
    host.machine.succeed("mv /root/away.key /root/mine.key")
    assert host.machine.read_file("/etc/app/token") == TOKEN
    host.run("deactivate")


def test_credentials_that_only_this_machine_can_decrypt(host: Host) -> None:
    encrypted = host.machine.execute(
        ["systemd-creds", "encrypt", "--with-key=host", "--name=token", "-", "-"], stdin=TOKEN.encode()
    )

    def module(m: Module) -> None:
        uses = m[Systemd].services["uses"]
        uses.exec_start = [
            "/bin/sh",
            "-ec",
            "cat $CREDENTIALS_DIRECTORY/token > /run/got; exec sleep infinity",
        ]
        uses.set_credential_encrypted = {"token": encrypted.text}

    host.machine.succeed("rm -f /run/got")
    host.switch(module)
    host.machine.succeed("systemctl start uses.service")
    host.machine.wait_until_succeeds(f"grep -x {TOKEN} /run/got")
    host.machine.succeed(f"! grep -rF {TOKEN} /etc/systemd/system")
    host.run("deactivate")
