"""Machines behind OpenSSH's client: the person's own configuration, agent and known hosts apply. One connection for each machine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.base.process import Conversation
from holdfast.base.records import dataclass
from holdfast.deploy.results import UnreachableError
from holdfast.deploy.rights import Rights, with_rights
from holdfast.deploy.transport import Conversations, OnLine, Ran, Transport

_OWN_EXIT = 255
"""What ssh(1) ends with when it is ssh that failed."""
_PERSIST_SECONDS = 60


@dataclass(frozen=True)
class SshSettings:
    """How to reach all machines of a command."""

    options: tuple[str, ...] = ()
    """``Name=value`` of ssh_config(5); they win over the person's configuration."""
    connect_seconds: int = 10
    interactive: bool = False
    """ssh may ask for passwords and passphrases."""


def parse_option(text: str) -> str:
    """``Name=value``.

    Raises:
        HoldfastError: it is something else, such as an option of ssh(1).
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9]*[ =].*", text) is None:
        raise HoldfastError(
            f"{text!r} is no option of ssh_config(5)",
            resolution="Write Name=value: --ssh-option Port=2222.",
        )
    return text


def parse_destination(text: str) -> str:
    """``[USER@]HOST`` or ``ssh://[USER@]HOST[:PORT]``, as ssh(1) takes it.

    Raises:
        HoldfastError: it cannot be one.
    """
    if not text or text.startswith("-") or any(char.isspace() or not char.isprintable() for char in text):
        raise HoldfastError(f"{text!r} is no machine", resolution="Write USER@HOST, or ssh://USER@HOST:PORT.")
    return text


class SshTransport:
    """One machine, and the connection to it, which all commands share."""

    def __init__(self, destination: str, settings: SshSettings, *, shared: bool = True) -> None:
        """``shared=False``: every command has a connection of its own."""
        self.name = parse_destination(destination)
        self.rights = Rights()
        self._settings = settings
        self._conversations = Conversations()
        self._reached = False
        self._directory = _directory_for_socket() if shared else None

    @contextmanager
    def start(
        self, script: str, arguments: Sequence[str], *, on_error_line: OnLine, as_root: bool = True
    ) -> Generator[Conversation]:
        words = ["sh", "-c", script, "holdfast", *arguments]
        prelude = b""
        if as_root:
            words, prelude = with_rights(words, self.rights)
        argv = [*self._ssh(), "--", self.name, shlex.join(words)]
        with self._conversations.begin(
            argv, prelude, on_error_line=on_error_line, env=_environment()
        ) as talk:
            yield talk

    def judge(self, ran: Ran) -> None:
        if ran.code != _OWN_EXIT:
            self._reached = True
            return
        said = "\n".join(ran.errors)
        raise lost(self.name, said) if self._reached else explain(self.name, said)

    def fresh(self) -> Transport | None:
        other = SshTransport(self.name, self._settings, shared=False)
        other.rights = self.rights
        return other

    def close(self) -> None:
        if self._directory is None:
            return
        if self._socket.exists():
            with suppress(HoldfastError):
                argv = ["ssh", "-o", f"ControlPath={self._socket}", "-O", "exit", "--", self.name]
                process.run(argv, env=_environment(), check=False, timeout=10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def abandon(self) -> None:
        self._conversations.abandon()
        self.close()  # the process that all commands share holds their pipes, too

    @property
    def _socket(self) -> Path:
        assert self._directory is not None
        return self._directory / "s"

    def _ssh(self) -> list[str]:
        settings = self._settings
        shared = (
            [
                "ControlMaster=auto",
                f"ControlPath={self._socket}",
                f"ControlPersist={_PERSIST_SECONDS}",
            ]
            if self._directory is not None
            else ["ControlMaster=no", "ControlPath=none"]
        )
        ours = [
            *shared,
            *settings.options,  # before ours: ssh keeps the first value of each
            f"BatchMode={'no' if settings.interactive else 'yes'}",
            f"ConnectTimeout={settings.connect_seconds}",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=4",
            "RemoteCommand=none",  # what is for people who log in would be in the way of ours
            "ClearAllForwardings=yes",  # so would a port that another session has taken
            "ForwardAgent=no",  # nothing there needs the person's keys
        ]
        return ["ssh", "-T", *(word for option in ours for word in ("-o", option))]


def _directory_for_socket() -> Path:
    """The path of a socket has 107 bytes, of which ssh takes 17 for a name of its own at first."""
    usual = tempfile.gettempdir()
    return Path(
        tempfile.mkdtemp(prefix="holdfast-ssh-", dir=usual if len(os.fsencode(usual)) < 60 else "/tmp")
    )


def _environment() -> dict[str, str]:
    """The person's own, whole: it is for their ssh, its agent, and what their configuration starts (ProxyCommand, Match exec).
    But for language and time zone, which ssh may hand on, and in which it complains.
    """
    ours = re.compile("LANG|LANGUAGE|LC_.*|TZ|PYTHONHASHSEED|HOLDFAST_.*")
    return {name: value for name, value in os.environ.items() if ours.fullmatch(name) is None}


_TROUBLES: tuple[tuple[str, str, str], ...] = (
    (
        "command-line: line",
        "ssh does not understand an option for {name}",
        "Correct --ssh-option: ssh_config(5) lists what there is.",
    ),
    (
        "Bad configuration option",
        "ssh does not understand its configuration",
        "Correct the line that it names; `ssh {name}` must work without questions.",
    ),
    (
        "REMOTE HOST IDENTIFICATION HAS CHANGED",
        "{name} shows another host key than the one that is known",
        "If the machine was installed anew: ssh-keygen -R HOST, then connect once with ssh and compare the key.",
    ),
    (
        "Host key verification failed",
        "the host key of {name} is not known here",
        "Connect once with ssh and compare the key: ssh {name}; or --ssh-option StrictHostKeyChecking=accept-new.",
    ),
    (
        "Permission denied",
        "{name} does not let this user in",
        "Check that `ssh {name}` works without a password: a key in ssh-agent, or IdentityFile in ~/.ssh/config.",
    ),
    (
        "Could not resolve hostname",
        "there is no machine of the name {name}",
        "Check the name, or give it an address in ~/.ssh/config. With a port it is written ssh://USER@HOST:PORT.",
    ),
    (
        "Connection refused",
        "{name} refuses connections: no ssh server listens there",
        "Start it there (systemctl start ssh), or name the port: --ssh-option Port=2222.",
    ),
    (
        "timed out",
        "{name} does not answer",
        "Check that the machine runs, and the network between here and there.",
    ),
    (
        "No route to host",
        "there is no route to {name}",
        "Check that the machine runs, and the network between here and there.",
    ),
)


def lost(name: str, said: str) -> UnreachableError:
    """The connection ended in the middle of something (pure)."""
    return UnreachableError(
        f"the connection to {name} was lost",
        details=said.strip(),
        resolution="Run the command again. A change that had begun goes on there: "
        f"`holdfast follow --target-host {name}` shows how it ends.",
    )


def explain(name: str, said: str) -> UnreachableError:
    """What ssh's complaint means, in words that say what to do (pure)."""
    for sign, brief, resolution in _TROUBLES:
        if sign in said:
            return UnreachableError(
                brief.format(name=name),
                details=said.strip(),
                resolution=resolution.format(name=name),
            )
    return UnreachableError(
        f"the connection to {name} failed",
        details=said.strip(),
        resolution=f"Try `ssh {name}`: it must work without questions.",
    )
