"""The receiving end of sd_notify(3).

Somebody must take the messages as long as the sender runs: a datagram socket holds a handful, and then the sender waits. The
sender is nspawn, which would no longer listen to the container's systemd, which would no longer do anything at all.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
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
        self._closed = False
        self._arrived = os.eventfd(0, os.EFD_CLOEXEC)
        self._reader = threading.Thread(target=self._read, name="notifications", daemon=True)

    def __enter__(self) -> Notifications:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes the reader
        self._reader.join()
        self._socket.close()
        os.close(self._arrived)

    def fileno(self) -> int:
        """Readable when messages have come since :meth:`look` was called."""
        return self._arrived

    def look(self) -> None:
        """Wait for a message, unless one has come since the last call."""
        os.eventfd_read(self._arrived)

    def _read(self) -> None:
        while not self._closed:
            self._take(self._socket.recv(65536))
            os.eventfd_write(self._arrived, 1)

    def _take(self, data: bytes) -> None:
        for line in data.decode(errors="replace").splitlines():
            name, _, value = line.partition("=")
            if name == "READY" and value == "1":
                self.ready = True
            elif name == "STATUS":
                self.status = value
            elif name == "X_NSPAWN_LEADER_PID" and value.isascii() and value.isdigit():
                self.leader = int(value)
