"""Machines behind sshd, and somebody who may log in to them: with a key, known hosts and an ssh configuration made for it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from holdfast.base.process import run
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.sandbox.root import Bind


@contextmanager
def behind_ssh(
    home: Path, tree: Path, names: Sequence[str], *, binds: Mapping[str, Bind] | None = None
) -> Generator[dict[str, Machine]]:
    """Boot machines of these names for the body. root may log in to them from ``home``, with the ``ssh`` in its ``bin``."""
    with ExitStack() as stack:
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "key")])
        machines: dict[str, Machine] = {}
        config: list[str] = []
        for name in names:
            settings = Settings(name=name, binds=binds or {})
            machine = machines[name] = stack.enter_context(boot_layers((tree,), settings=settings))
            let_in(machine, (home / "key.pub").read_text())
            port = stack.enter_context(machine.forward(22))
            config.append(f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {name}\n")
        known = home / "known_hosts"
        known.write_text("".join(host_key(name, machine) for name, machine in machines.items()))
        config.append(
            f"Host *\n  User root\n  IdentityFile {home}/key\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
        )
        (home / "config").write_text("".join(config))
        wrapper = home / "bin" / "ssh"  # ssh(1) reads the configuration of the account, not of $HOME
        wrapper.parent.mkdir(exist_ok=True)
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {home}/config "$@"\n')
        wrapper.chmod(0o755)
        yield machines


def let_in(machine: Machine, key: str, user: str = "root") -> None:
    home = machine.succeed(f"getent passwd {user} | cut -d: -f6").strip()
    machine.succeed(f"install -d -m 700 -o {user} {home}/.ssh")
    machine.write_file(f"{home}/.ssh/authorized_keys", key)
    machine.succeed(f"chown {user} {home}/.ssh/authorized_keys; ssh-keygen -A; systemctl restart ssh.service")
    machine.wait_for_open_port(22)


def host_key(name: str, machine: Machine) -> str:
    return f"{name} {machine.read_file('/etc/ssh/ssh_host_ed25519_key.pub')}"
