"""Taking the network away from the process that runs user Python, so that evaluation cannot depend on it.

See unshare(2), prctl(2), seccomp(2) and the kernel's Documentation/userspace-api/seccomp_filter.rst. All of it acts on the calling
process and cannot be undone: call it in a child.
"""

from __future__ import annotations

import ctypes
import enum
import os
import struct

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000 | 13  # SECCOMP_RET_ERRNO with EACCES
_AF_UNIX = 1

# Machine: audit architecture, number of socket(2). io_uring_setup(2), which could open sockets too, is 425 on both.
_MACHINES = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}
_IO_URING_SETUP = 425
_X32_BIT = 0x40000000

# Classic BPF: load a word of struct seccomp_data, jump if equal, jump if greater or equal, return.
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16


class Isolation(enum.Enum):
    """How the network was taken away, strongest first."""

    NETWORK_NAMESPACE = "network namespace"
    USER_NAMESPACE = "network namespace inside a user namespace"
    SECCOMP = "seccomp filter"
    NONE = "none"


def isolate() -> Isolation:
    """Cut the calling process off from the network by the strongest means the machine allows."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.unshare(_CLONE_NEWNET) == 0:
        return Isolation.NETWORK_NAMESPACE
    if _unshare_as_user(libc):
        return Isolation.USER_NAMESPACE
    if _filter_sockets(libc):
        return Isolation.SECCOMP
    return Isolation.NONE


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def _unshare_as_user(libc: ctypes.CDLL) -> bool:
    """Unshare user and network namespaces, keeping the ids that files show."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        try:
            descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
            os.write(descriptor, text.encode())
            os.close(descriptor)
        except OSError:
            return True  # unmapped ids only look odd; the network is gone, which is the point
    return True


def _filter_sockets(libc: ctypes.CDLL) -> bool:
    """Let socket(2) make Unix sockets only, in this process and its children."""
    program = socket_filter(os.uname().machine)
    if program is None or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    code = ctypes.create_string_buffer(b"".join(program), sum(map(len, program)))
    descriptor = ctypes.create_string_buffer(
        struct.pack("HP", len(program), ctypes.addressof(code)), struct.calcsize("HP")
    )
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, descriptor, 0, 0) == 0)


def socket_filter(machine: str) -> list[bytes] | None:
    """The BPF program for ``machine`` (as uname(2) calls it), one instruction each, or None where it is not known."""
    if machine not in _MACHINES:
        return None
    architecture, socket_number = _MACHINES[machine]

    def step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("HBBI", code, if_true, if_false, value)

    return [
        step(_LOAD, _ARCHITECTURE),
        step(_EQUAL, architecture, 0, 7),  # a foreign system call table: refuse
        step(_LOAD, _NUMBER),
        step(_AT_LEAST, _X32_BIT, 5, 0),
        step(_EQUAL, _IO_URING_SETUP, 4, 0),
        step(_EQUAL, socket_number, 0, 2),
        step(_LOAD, _FIRST_ARGUMENT),
        step(_EQUAL, _AF_UNIX, 0, 1),
        step(_RETURN, _ALLOW),
        step(_RETURN, _REFUSE),
    ]
