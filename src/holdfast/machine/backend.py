"""What a machine needs from the program that runs it."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from holdfast.machine.results import Shutdown


class Backend(Protocol):
    """What a machine needs from the program that runs it."""

    @property
    def name(self) -> str: ...

    def enter(self, cwd: str) -> tuple[str, ...]:
        """Words that run the command after them inside, as root. Raises HoldfastError when the machine has stopped."""
        ...

    def enter_and_wait(self, cwd: str) -> tuple[str, ...]:
        """The same for commands without a terminal, which end with the machine whatever it does to them first."""
        ...

    def attach(self, argv: Sequence[str], env: Mapping[str, str]) -> int:
        """Run a program as root on the person's terminal; its exit code. Raises HoldfastError as above."""
        ...

    def connect_systemd(self) -> socket.socket:
        """A connection to the private socket of the system's manager. Raises HoldfastError as above."""
        ...

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A TCP connection as a program inside would make it. Raises OSError, or HoldfastError as above."""
        ...

    def console(self) -> str:
        """What the system wrote to its console so far, without terminal control codes."""
        ...

    def restart(self, seconds: float) -> None:
        """Reboot the system and wait until it is ready again. Raises NotInTime, or HoldfastError as above."""
        ...

    def power_off(self, seconds: float) -> Shutdown:
        """Ask the system to power itself off, kill it after ``seconds``; again returns the first result."""
        ...
