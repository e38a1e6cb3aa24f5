"""Our command against real ssh servers: machines behind sshd, with keys made for the test and a known_hosts of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.base.process import Completed, run
from holdfast.distro.family import Bootstrapped
from holdfast.machine import Machine, Settings, boot_layers

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

HOLDFAST = Path(sys.executable).with_name("holdfast")
SYSTEMS = """\
from holdfast import Debian, Module, System
from holdfast.library import Files, Identity

def module(m: Module) -> None:
    m[Identity].locale = None
    m[Identity].timezone = None
    m[Files]["/etc/motd.d/a"].text = {text!r}
    {more}

systems = [System("web", modules=[module], distro=Debian("trixie"))]
"""


@dataclass
class Author:
    """Somebody's machine: a project, a store, a key, an ssh configuration."""

    home: Path
    targets: dict[str, Machine]

    def define(self, text: str, more: str = "") -> None:
        (self.home / "systems.py").write_text(SYSTEMS.format(text=text, more=more or "pass"))

    def run(self, *words: str, code: int | None = 0, hosts: bool = True) -> Completed:
        named = [word for name in self.targets for word in ("--target-host", name)] if hosts else []
        done = run(
            [HOLDFAST, *words, *named],
            env={"HOME": str(self.home), "HOLDFAST_STORE": str(self.home / "store"), "PATH": self.path},
            cwd=self.home,
            check=False,
        )
        assert code is None or done.returncode == code, done.text + done.stderr.decode()
        return done

    @property
    def path(self) -> str:
        return f"{self.home}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    def results(self, *words: str, code: int = 0) -> list[dict[str, object]]:
        found = json.loads(self.run(*words, "--json", code=code).stdout)
        assert isinstance(found, list)
        return found


@pytest.fixture(scope="module")
def tree(bootstrapped: Callable[..., Bootstrapped]) -> Path:
    return bootstrapped("trixie", "openssh-server", "python3", "sudo").tree


@pytest.fixture(scope="module")
def author(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Generator[Author]:
    """Three machines: one, two and three, for root; ssh is told of them by its configuration."""
    home = tmp_path_factory.mktemp("author")
    with ExitStack() as stack:
        author = Author(home, {})
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(home / "key")])
        config: list[str] = []
        for name in ("one", "two", "three"):
            machine = stack.enter_context(boot_layers((tree,), settings=Settings(name=f"deploy-{name}")))
            let_in(machine, (home / "key.pub").read_text())
            port = stack.enter_context(machine.forward(22))
            config.append(f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {name}\n")
            author.targets[name] = machine
        known = home / "known_hosts"
        known.write_text("".join(host_key(name, machine) for name, machine in author.targets.items()))
        config.append(
            f"Host *\n  User root\n  IdentityFile {home}/key\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
        )
        (home / "config").write_text("".join(config))
        wrapper = home / "bin" / "ssh"  # ssh(1) reads the configuration of the account, not of $HOME
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {home}/config "$@"\n')
        wrapper.chmod(0o755)
        yield author


def let_in(machine: Machine, key: str, user: str = "root") -> None:
    home = machine.succeed(f"getent passwd {user} | cut -d: -f6").strip()
    machine.succeed(f"install -d -m 700 -o {user} {home}/.ssh")
    machine.write_file(f"{home}/.ssh/authorized_keys", key)
    machine.succeed(f"chown {user} {home}/.ssh/authorized_keys; ssh-keygen -A; systemctl restart ssh.service")
    machine.wait_for_open_port(22)


def host_key(name: str, machine: Machine) -> str:
    return f"{name} {machine.read_file('/etc/ssh/ssh_host_ed25519_key.pub')}"


def test_a_life_over_ssh(author: Author) -> None:
    author.define("one\n")
    plans = author.run("plan").stdout.decode()
    assert plans.count("+ /etc/motd.d/a") == 3
    assert plans.count("would change") == 3
    first = author.results("switch")
    assert [(item["host"], item["state"], item["generation"]) for item in first] == [
        ("one", "changed", 1),
        ("two", "changed", 1),
        ("three", "changed", 1),
    ]
    assert all(machine.read_file("/etc/motd.d/a") == "one\n" for machine in author.targets.values())
    again = author.results("switch")
    assert {item["state"] for item in again} == {"unchanged"}
    author.define("two\n")
    second = author.results("switch", "--confirm", "60")
    sent = [item["bytes_sent"] for item in second]
    assert all(isinstance(count, int) and count < 4000 for count in sent), sent
    assert author.targets["two"].read_file("/etc/motd.d/a") == "two\n"
    author.targets["two"].fail("test -e /var/lib/holdfast/host/unconfirmed.json")
    author.targets["two"].write_file("/etc/motd.d/a", "mine\n")
    status = author.run("status").stdout.decode()
    assert status.count("~ /etc/motd.d/a") == 1
    author.run("repair")
    assert author.targets["two"].read_file("/etc/motd.d/a") == "two\n"
    author.run("rollback")
    assert all(machine.read_file("/etc/motd.d/a") == "one\n" for machine in author.targets.values())
    assert author.run("generations", "list").stdout.decode().count("current") == 3
    author.run("deactivate")
    for machine in author.targets.values():
        machine.fail("test -e /etc/motd.d/a")
