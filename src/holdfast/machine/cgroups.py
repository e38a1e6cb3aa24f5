"""A control group of its own for each container, in the unified hierarchy, which systemd needs to manage its services in.

Where systemd runs the machine, it is asked for a delegated scope (its "single writer" rule, see the systemd project's
CGROUP_DELEGATION page). Elsewhere the group is made below our own.
"""

from __future__ import annotations

import os
import select
import socket
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.machine.bus import SystemdBus
from holdfast.sandbox import kernel

MOUNT = Path("/sys/fs/cgroup")
_PREFIX = "holdfast-"
_PRIVATE = "/run/systemd/private"
_numbers = count(1)


def show_unified() -> None:
    """Have the unified hierarchy at ``/sys/fs/cgroup`` of the calling thread's own mount namespace, also on a v1 or hybrid machine.

    Raises:
        OSError: the kernel has no cgroup2.
    """
    if (MOUNT / "cgroup.controllers").exists():
        return
    with suppress(OSError):
        kernel.unmount(MOUNT)
    kernel.mount("cgroup2", MOUNT, "cgroup2", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)


def make_group(name: str, *, holder: int, view: Path) -> Path:
    """Make a group for the machine ``name`` and return it as a path below :data:`MOUNT`.

    ``view`` is where :data:`MOUNT` of the holder's mount namespace is seen from here.

    Raises:
        HoldfastError: the machine's systemd or the kernel refuses.
    """
    unique = f"{_PREFIX}{os.getpid()}-{next(_numbers)}-{name}"  # several of one name may run at once
    if Path("/run/systemd/system").is_dir():
        return _make_scope(unique, holder, view)
    own = _group_of(os.getpid())
    with explain_os_errors("make a control group for the machine"):
        sweep(view / own)
        (view / own / unique).mkdir()
    return MOUNT / own / unique


def _make_scope(unique: str, holder: int, view: Path) -> Path:
    connection = socket.socket(socket.AF_UNIX)
    with explain_os_errors("reach this machine's systemd"):
        connection.connect(_PRIVATE)
    with SystemdBus(connection, whose="this machine") as bus:
        bus.start_scope(
            f"{unique}.scope", pid=holder, slice_unit="machine.slice", description="Holdfast machine"
        )
    scope = _group_of(holder)
    with explain_os_errors("divide the machine's control group"):
        # Processes live in leaves only, or controllers cannot be enabled (cgroups(7), "no internal processes").
        for part in ("holder", "machine"):
            (view / scope / part).mkdir()
        (view / scope / "holder/cgroup.procs").write_text(str(holder))
    return MOUNT / scope / "machine"


def _group_of(pid: int) -> str:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return line[3:].strip("/")
    raise HoldfastError(
        "this machine has no unified control group hierarchy",
        resolution="Boot it with a kernel that has CONFIG_CGROUPS and mounts cgroup2.",
    )


def sweep(parent: Path) -> None:
    """Remove the empty groups below ``parent`` that killed processes of ours left."""
    for group in parent.glob(f"{_PREFIX}*-*"):
        owner = group.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            remove(group)


def remove(group: Path) -> None:
    """Remove a group and those below it, as far as no process lives in them."""
    for directory, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):
            Path(directory).rmdir()


def kill(group: Path, seconds: float) -> None:
    """Kill every process in a group and below it (``cgroup.kill``, Linux 5.14), and wait until they are gone."""
    with suppress(OSError):
        (group / "cgroup.kill").write_text("1")
        wait_until_empty(group, seconds)


def wait_until_empty(group: Path, seconds: float) -> bool:
    """Wait until no process lives in a group or below it; the kernel announces it (cgroups(7), ``cgroup.events``)."""
    end = time.monotonic() + seconds
    with (group / "cgroup.events").open() as events:
        poll = select.poll()
        poll.register(events, select.POLLPRI)
        while "populated 0" not in events.read():
            left = end - time.monotonic()
            if left <= 0:
                return False
            poll.poll(left * 1000)
            events.seek(0)
    return True
