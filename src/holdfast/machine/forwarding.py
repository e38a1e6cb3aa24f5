"""A port of this machine's loopback that leads into a running system, for clients that know nothing of namespaces (ssh)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress

Connect = Callable[[], socket.socket]

_CHUNK = 1 << 16


@contextmanager
def forward(connect: Connect, *, name: str) -> Generator[int]:
    """Listen on a free port of 127.0.0.1 during the body and join each connection to one that ``connect`` makes.

    A connection that ``connect`` refuses with OSError is closed, as a closed port would. What is open when the body ends is cut.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gate = _Gate(listener, connect, name)
        acceptor = threading.Thread(target=gate.accept, name=f"{name}-accept", daemon=True)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)  # close(2) alone would not wake who waits in accept(2)
            acceptor.join()
            gate.close()


class _Gate:
    """The connections that are open, each with a thread for either direction."""

    def __init__(self, listener: socket.socket, connect: Connect, name: str) -> None:
        self._listener, self._connect, self._name = listener, connect, name
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = self._connect()
            except OSError:
                near.close()
                continue
            for connected in (near, far):
                connected.settimeout(None)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._open |= {near, far}
            pumps = [
                threading.Thread(target=_pump, args=pair, name=f"{self._name}-pump", daemon=True)
                for pair in ((near, far), (far, near))
            ]
            self._threads += pumps
            for pump in pumps:
                pump.start()

    def close(self) -> None:
        for connected in self._open:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connected in self._open:
            connected.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until ``source`` ends, and pass that end on."""
    with suppress(OSError):  # either side may be gone: then there is nobody to copy for
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
