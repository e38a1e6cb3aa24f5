"""The receiving end of sd_notify(3)."""

from __future__ import annotations

import os
import secrets
import socket
from types import TracebackType


class Notifications:
    """A notification socket and what arrived on it. Its name is abstract, so no file stays behind."""

    def __init__(self) -> None:
        self.address = f"@holdfast/{os.getpid()}/{secrets.token_hex(8)}"
        """For ``NOTIFY_SOCKET``."""
        self.ready = False
        self.status = ""
        self.leader: int | None = None
        """``X_NSPAWN_LEADER_PID``: the container's first process, numbered in nspawn's PID namespace."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + self.address[1:])

    def __enter__(self) -> Notifications:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> None:
        """Take one message, waiting for it if need be."""
        for line in self._socket.recv(65536).decode(errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name == "READY" and value == "1":
                self.ready = True
            elif name == "STATUS":
                self.status = value
            elif name == "X_NSPAWN_LEADER_PID" and value.isascii() and value.isdigit():
                self.leader = int(value)
