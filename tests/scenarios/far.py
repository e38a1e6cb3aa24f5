"""The author's command on this side, and one of the scenarios' machines behind a real sshd on the other."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.base.process import Completed, run
from holdfast.machine import Machine

HOLDFAST = Path(sys.executable).with_name("holdfast")
SYSTEMS = """\
from holdfast import Debian, Module, System
from holdfast.library import Files, Identity, Systemd

def module(m: Module) -> None:
    m[Identity].hostname = {hostname!r}
    m[Identity].locale = None
    m[Identity].timezone = None
    m[Files]["/etc/motd.d/hf"].text = {text!r}

systems = [System("web", modules=[module], distro=Debian({release!r}))]
"""


@dataclass
class Author:
    """Somebody's machine: a project, a store, a key, and an ssh configuration that knows the host `far`."""

    home: Path
    release: str
    hostname: str

    def define(self, text: str) -> None:
        """A system with one file of this text."""
        text = SYSTEMS.format(text=text, release=self.release, hostname=self.hostname)
        (self.home / "systems.py").write_text(text)

    def run(self, *words: str, to: str = "root@far", code: int = 0) -> str:
        """Our command with ``--target-host``; all that it said."""
        programs = f"{self.home}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        environment = {"HOME": str(self.home), "HOLDFAST_STORE": str(self.home / "store"), "PATH": programs}
        argv = [str(HOLDFAST), *words, "--target-host", to]
        done: Completed = run(argv, env=environment, cwd=self.home, check=False)
        told = done.text + done.stderr.decode()
        assert done.returncode == code, told
        return told


@contextmanager
def behind_ssh(machine: Machine, release: str, home: Path, *users: str) -> Generator[Author]:
    """Let an author's key in for root and ``users`` (who have homes) during the body."""
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "key")])
    key, homes = (home / "key.pub").read_text(), [f"~{user}" for user in ("root", *users)]
    for user, place in zip(("root", *users), homes, strict=True):
        machine.succeed(
            f"install -d -m 700 -o {user} {place}/.ssh; cat >{place}/.ssh/authorized_keys; chown {user} {place}/.ssh/*",
            stdin=key.encode(),
        )
    was_active = machine.unit("ssh.service").active_state == "active"
    machine.systemctl("start", "ssh.service")
    try:
        machine.wait_for_open_port(22)
        with machine.forward(22) as port:
            _configure(home, port, machine.read_file("/etc/ssh/ssh_host_ed25519_key.pub"))
            yield Author(home, release, machine.read_file("/etc/hostname").strip())
    finally:
        for place in homes:
            machine.succeed(f"rm {place}/.ssh/authorized_keys")
        if not was_active:
            machine.systemctl("stop", "ssh.service")


def _configure(home: Path, port: int, host_key: str) -> None:
    known = home / "known_hosts"
    known.write_text(f"far {host_key}")
    (home / "config").write_text(
        f"Host far\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias far\n  IdentityFile {home}/key\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
    )
    wrapper = home / "bin" / "ssh"  # ssh(1) reads the configuration of the account, not of $HOME
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {home}/config "$@"\n')
    wrapper.chmod(0o755)
