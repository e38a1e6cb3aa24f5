"""Doing things as one of a machine's people."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from holdfast.base.process import Completed
from holdfast.machine import Machine


def do_as(machine: Machine, user: str, command: str) -> Completed:
    """Run a command in a login shell of a person's.

    Without a session, though: it would keep a manager for the user running for a while, to whom the account then still belongs.
    """
    environment = ["env", "-i", f"HOME=/home/{user}", f"USER={user}", "PATH=/usr/local/bin:/usr/bin:/bin"]
    return machine.execute(["runuser", "-u", user, "--", *environment, "bash", "-lc", command])


def said_as(machine: Machine, user: str, command: str) -> str:
    """What a command prints that must succeed."""
    done = do_as(machine, user, command)
    assert done.returncode == 0, done.text + done.stderr.decode()
    return done.text


@contextmanager
def person_with_sudo(machine: Machine, name: str) -> Generator[None]:
    """Somebody who may do everything with sudo, made by hand, during the body."""
    machine.succeed(f"useradd -m {name}; echo '{name} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{name}")
    try:
        yield
    finally:
        machine.succeed(f"userdel -rf {name} 2>/dev/null; rm /etc/sudoers.d/{name}")
