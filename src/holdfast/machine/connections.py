"""Connections made from inside a container's namespaces. A socket stays what it was made as, whoever uses it afterwards."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from holdfast.base import process
from holdfast.base.errors import explain_os_errors
from holdfast.sandbox import kernel
from holdfast.sandbox.threads import in_thread

_CONNECT = """
import _socket, sys
channel = _socket.socket(fileno=int(sys.argv[2]))
made = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
made.connect("/proc/self/fd/" + sys.argv[1])
rights = made.fileno().to_bytes(4, sys.byteorder)
channel.sendmsg([b"c"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
"""


def connect_tcp(namespace: str, host: str, port: int, seconds: float) -> socket.socket:
    """A TCP connection from the network namespace ``namespace``, a path such as ``/proc/1/ns/net``.

    ``host`` is an address or ``localhost``; names would be resolved by this machine, not by the other.

    Raises:
        OSError: nobody listens, no route, or no answer within ``seconds``.
    """
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)

    def inside() -> socket.socket:
        kernel.set_namespace(descriptor, kernel.CLONE_NEWNET)
        return socket.create_connection((host, port), timeout=seconds)

    try:
        return in_thread(inside, name="holdfast-connect")
    finally:
        os.close(descriptor)


def connect_unix(leader: int, path: str) -> socket.socket:
    """A connection to the socket ``path`` of the container whose first process is ``leader``, as one of its processes.

    systemd turns away a peer whose process id it cannot see (getpeercred() of its src/basic/socket-util.c says ENODATA), and a
    thread cannot change its PID namespace; so a short-lived process in there connects and hands the socket over.

    Raises:
        HoldfastError: there is no such socket, the connection was refused, or the container is gone.
    """
    with explain_os_errors(f"find the socket {path} of the machine"):
        found = kernel.open_in_root(Path(f"/proc/{leader}/root"), path, os.O_PATH)
    try:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            enter = ["nsenter", f"--target={leader}", "--pid", "--"]
            script = [sys.executable, "-I", "-S", "-c", _CONNECT, str(found), str(theirs.fileno())]
            process.run([*enter, *script], pass_fds=[found, theirs.fileno()], timeout=30)
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=descriptors[0])
    finally:
        os.close(found)
