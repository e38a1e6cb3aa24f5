"""A way to a machine: start a program there as root and talk with it. This machine, or one behind ssh (:mod:`holdfast.deploy.ssh`)."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.base.process import Conversation
from holdfast.base.records import dataclass
from holdfast.deploy.rights import Rights, with_rights

LOCAL = "local"
_LONGEST_ANSWER = 256 << 20
_KEPT_LINES = 1000
_PASSED_TO_SUDO = ("TERM", "SUDO_ASKPASS", "DISPLAY")

OnLine = Callable[[bytes], None]


@dataclass(frozen=True)
class Ran:
    """A script that ran to its end."""

    code: int
    stdout: bytes
    errors: tuple[str, ...]
    """Lines of stderr."""


class Transport(Protocol):
    """One machine."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    rights: Rights
    """How root's rights are had there; settled after the first look."""

    def start(
        self, script: str, arguments: Sequence[str], *, on_error_line: OnLine, as_root: bool = True
    ) -> AbstractContextManager[Conversation]:
        """Run ``sh -c SCRIPT holdfast ARGUMENTS`` there during the body.

        Raises:
            HoldfastError: the local program that leads there is not installed.
        """
        ...

    def judge(self, ran: Ran) -> None:
        """Tell a failure of the way from one of the program.

        Raises:
            UnreachableError: the way failed.
        """
        ...

    def fresh(self) -> Transport | None:
        """A way of its own that shares no connection with this one; None where nothing is to be proved by that."""
        ...

    def close(self) -> None:
        """Give up the connection."""
        ...

    def abandon(self) -> None:
        """End what is under way and begin nothing more, from any thread: whoever waits for it finds the connection lost."""
        ...


class Conversations:
    """Those with one machine: begun here, so that another thread can end them."""

    def __init__(self) -> None:
        self._under_way: set[Conversation] = set()
        self._lock = threading.Lock()
        self._abandoned = False

    @contextmanager
    def begin(
        self, argv: Sequence[str], prelude: bytes, *, on_error_line: OnLine, env: Mapping[str, str]
    ) -> Generator[Conversation]:
        """Run ``argv`` during the body. ``prelude`` comes first on its stdin."""
        with process.converse(argv, on_error_line=on_error_line, env=env) as talk:
            with self._lock:
                self._under_way.add(talk)
                if self._abandoned:
                    talk.end()
            try:
                with suppress(BrokenPipeError):  # its exit code tells why it is gone already
                    talk.stdin.write(prelude)
                    talk.stdin.flush()
                yield talk
            finally:
                with self._lock:
                    self._under_way.discard(talk)

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            for talk in self._under_way:
                talk.end()


def read_all(talk: Conversation, name: str) -> bytes:
    """What it says on stdout until it ends.

    Raises:
        HoldfastError: that is more than anything of ours says.
    """
    said = talk.stdout.read(_LONGEST_ANSWER + 1)
    if len(said) > _LONGEST_ANSWER:
        raise HoldfastError(
            f"{name} does not stop talking: it said more than {_LONGEST_ANSWER >> 20} MiB",
            resolution="Look at what its user's shell starts by itself (~/.bashrc, ForceCommand of sshd_config(5)).",
        )
    return said


def run_script(
    transport: Transport,
    script: str,
    arguments: Sequence[str] = (),
    *,
    stdin: bytes = b"",
    as_root: bool = True,
) -> Ran:
    """Run a script to its end.

    Raises:
        UnreachableError: the machine cannot be reached.
    """
    errors: deque[bytes] = deque(maxlen=_KEPT_LINES)
    with transport.start(script, arguments, on_error_line=errors.append, as_root=as_root) as talk:
        with suppress(BrokenPipeError):  # it ended before it read everything: its exit code tells why
            talk.stdin.write(stdin)
            talk.stdin.close()
        stdout = read_all(talk, transport.name)
        code = talk.finish()
    ran = Ran(code, stdout, tuple(line.decode(errors="replace") for line in errors))
    transport.judge(ran)
    return ran


class LocalTransport:
    """This machine."""

    name = LOCAL

    def __init__(self) -> None:
        self.rights = Rights()
        self._conversations = Conversations()

    @contextmanager
    def start(
        self, script: str, arguments: Sequence[str], *, on_error_line: OnLine, as_root: bool = True
    ) -> Generator[Conversation]:
        words = ["sh", "-c", script, "holdfast", *arguments]
        prelude = b""
        if as_root:
            words, prelude = with_rights(words, self.rights)
        environment = passed_on(_PASSED_TO_SUDO)
        with self._conversations.begin(words, prelude, on_error_line=on_error_line, env=environment) as talk:
            yield talk

    def judge(self, ran: Ran) -> None:
        del ran

    def fresh(self) -> Transport | None:
        return None

    def close(self) -> None:
        pass

    def abandon(self) -> None:
        self._conversations.abandon()


def passed_on(names: Sequence[str]) -> Mapping[str, str]:
    """These variables of the person's own environment, as far as they are set."""
    return {name: os.environ[name] for name in names if name in os.environ}


def ask_terminal_for_sudo() -> None:
    """Let sudo ask the person now, before anything is drawn on the terminal.

    Raises:
        HoldfastError: sudo refused.
    """
    if process.attach(["sudo", "-v"], env=passed_on(_PASSED_TO_SUDO)) != 0:
        raise HoldfastError(
            "sudo does not let this user become root",
            resolution="Run the command as root, or as a user whom sudoers(5) allows it.",
        )


def has_terminal() -> bool:
    """A person may be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
