"""The few system calls Python has no name for: mount(2), umount2(2), mount_setattr(2), openat2(2), unshare(2), setns(2), sethostname(2).

Namespaces belong to a *thread*. Everything here acts on the calling thread alone, which is what :mod:`holdfast.sandbox.threads`
is for.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from functools import cache
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_BIND = 0x1000
MS_REC = 0x4000
MS_SLAVE = 0x80000

_MNT_DETACH = 0x2
_SYS_OPENAT2, _SYS_MOUNT_SETATTR = 437, 442  # the same numbers on every architecture
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 0x1
_RESOLVE_NO_MAGICLINKS, _RESOLVE_IN_ROOT = 0x2, 0x10
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def mount(source: str, target: Path | str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """mount(2). ``options`` is the file system's own option string, at most one page.

    Raises:
        OSError: with the target as file name.
    """
    result = _libc().mount(
        source.encode(),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, str(target))


def make_read_only(target: Path | str) -> None:
    """mount_setattr(2): the mount at ``target`` and all below it, whatever other flags they have (Linux 5.12)."""
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc().syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_long(_AT_RECURSIVE),
        attributes,
        ctypes.c_long(len(attributes)),
    )
    _check(result, str(target))


def open_in_root(root: Path, path: str, flags: int) -> int:
    """openat2(2): ``path`` as a process with the root directory ``root`` would open it, whatever links lie on the way (Linux 5.6).

    For ``/proc/PID/root``: a plain path through that starts over at *our* root at the first absolute link.

    Raises:
        OSError: with the path as file name.
    """
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        how = struct.pack("QQQ", flags | os.O_CLOEXEC, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
        descriptor: int = _libc().syscall(
            ctypes.c_long(_SYS_OPENAT2),
            ctypes.c_int(directory),
            os.fsencode(path),
            how,
            ctypes.c_long(len(how)),
        )
        _check(min(descriptor, 0), path)
        return descriptor
    finally:
        os.close(directory)


def unmount(target: Path | str) -> None:
    """umount2(2) with MNT_DETACH: gone from the tree at once, freed when its last user is."""
    _check(_libc().umount2(os.fsencode(target), _MNT_DETACH), str(target))


def unshare(flags: int) -> None:
    """unshare(2) for the calling thread."""
    _check(_libc().unshare(flags), None)


def set_namespace(descriptor: int, kind: int = 0) -> None:
    """setns(2) for the calling thread; ``kind`` 0 accepts whatever namespace the descriptor is."""
    _check(_libc().setns(descriptor, kind), None)


def set_hostname(name: str) -> None:
    """sethostname(2) in the UTS namespace of the calling thread."""
    data = name.encode()
    _check(_libc().sethostname(data, len(data)), None)


def raise_loopback() -> None:
    """Set the interface ``lo`` of the calling thread's network namespace up, as netdevice(7) says."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, request)
        flags: int = struct.unpack("16sH14s", answer)[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | _IFF_UP, b""))


def _check(result: int, name: str | None) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
