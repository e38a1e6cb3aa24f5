"""A machine to configure: Debian in a container with sshd and python3, reached over ssh through a port of the loopback."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import scratch
from holdfast.base.process import run
from holdfast.distro.family import family
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.manifest.model import Distribution, Packages

DISTRIBUTION = Distribution("debian", "trixie", "amd64")
REQUEST = Packages(install=("dbus", "openssh-server", "python3", "rsync"))


@dataclass(frozen=True)
class Target:
    """The machine, and what an author needs to get at it."""

    machine: Machine
    port: int
    """Of 127.0.0.1; leads to the machine's sshd."""
    key: Path
    """Private key that root there accepts."""
    known_hosts: Path


@contextmanager
def target() -> Generator[Target]:
    """Make and boot it during the body.

    Raises:
        HoldfastError: it cannot be made or booted.
    """
    place = scratch.place() / "target"
    place.mkdir()
    key = place / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key])
    debian = family(DISTRIBUTION)
    made = debian.bootstrap(scratch.store(), debian.resolve(scratch.store(), DISTRIBUTION, REQUEST))
    with boot_layers((made.tree,), settings=Settings(name="target")) as machine, machine.forward(22) as port:
        machine.write_file("/root/.ssh/authorized_keys", key.with_suffix(".pub").read_text())
        machine.succeed("chmod -R go= /root/.ssh; ssh-keygen -A; systemctl restart ssh.service")
        machine.wait_for_open_port(22)
        kind, host_key, *_ = machine.read_file("/etc/ssh/ssh_host_ed25519_key.pub").split()
        known_hosts = place / "known_hosts"
        known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {host_key}\n")
        yield Target(machine, port, key, known_hosts)
