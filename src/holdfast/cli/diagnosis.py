"""What `holdfast doctor` looks at: each check tries the thing itself instead of guessing from versions."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from holdfast.base.errors import HoldfastError
from holdfast.base.process import Completed, run
from holdfast.base.records import dataclass
from holdfast.project.isolated import call_isolated
from holdfast.project.isolation import Isolation
from holdfast.sandbox.rootless import allow_namespaces, subordinates

Status = Literal["ok", "warn", "fail"]
_LOW_DISK_BYTES = 5_000_000_000
_PROBE_SECONDS = 20.0


@dataclass(frozen=True)
class Check:
    """One line of the report. ``mend`` is a command or an instruction; empty when all is well."""

    name: str
    status: Status
    found: str
    mend: str = ""


def diagnose() -> tuple[Check, ...]:
    """Every check, in the order people should mend them."""
    checks: list[Callable[[], Check]] = [
        _python,
        _person,
        *(_program_check(*row) for row in _PROGRAMS),
        _ssh,
        _keyring,
        _namespaces,
        _overlay,
        _cgroups,
        _isolation,
        _store,
        _disk,
    ]
    return tuple(check() for check in checks)


_PROGRAMS = (
    # Program, Debian package, what for.
    ("apt-get", "apt", "choosing packages, until there is a tools tree"),
    ("gpgv", "gpgv", "verifying archives"),
    ("zstd", "zstd", "unpacking some packages"),
    ("unshare", "util-linux", "private namespaces"),
    ("nsenter", "util-linux", "entering running systems"),
    ("mount", "mount", "file systems of sandboxes"),
    ("systemd-nspawn", "systemd-container", "booting systems"),
)


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info >= (3, 11):
        return Check("python", "ok", f"{version} at {sys.executable}")
    return Check("python", "fail", version, "Install Python 3.11 or newer.")


def _person() -> Check:
    if os.geteuid() == 0:
        return Check("root", "ok", "running as root")
    who = f"running as uid {os.geteuid()}"
    try:
        ids = subordinates()
    except HoldfastError as error:
        return Check(
            "root", "warn", f"{who}; lock, build and run need root here: {error.brief}", error.resolution
        )
    count = sum(each.count for each in ids.uids)
    return Check("root", "ok", f"{who} with {count} subordinate ids: all but run works")


def _program_check(program: str, package: str, purpose: str) -> Callable[[], Check]:
    def check() -> Check:
        path = shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        if path is not None:
            return Check(program, "ok", path)
        return Check(program, "fail", f"not installed; needed for {purpose}", f"apt-get install {package}")

    return check


def _ssh() -> Check:
    found = _program_check("ssh", "openssh-client", "machines other than this one")()
    return found if found.status == "ok" else replace(found, status="warn")


def _keyring() -> Check:
    path = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if path.exists():
        return Check("keyring", "ok", str(path))
    return Check("keyring", "fail", f"{path} is missing", "apt-get install debian-archive-keyring")


def _unshare(*command: str) -> Completed:
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    return run(
        ["unshare", *user, "--mount", "--pid", "--fork", *command], check=False, timeout=_PROBE_SECONDS
    )


def _namespaces() -> Check:
    failure = _failure(lambda: _unshare("--net", "true"))
    if not failure:
        kind = "mount, pid and network" if os.geteuid() == 0 else "user, mount, pid and network"
        return Check("namespaces", "ok", kind)
    mend = "Give the container or machine CAP_SYS_ADMIN." if os.geteuid() == 0 else allow_namespaces()
    return Check("namespaces", "fail", failure, mend)


def _overlay() -> Check:
    with tempfile.TemporaryDirectory(prefix="holdfast-doctor-") as place:
        script = (
            f"mount -t tmpfs tmpfs {place} && mkdir {place}/low {place}/up {place}/work {place}/all && "
            f"mount -t overlay -o lowerdir={place}/low,upperdir={place}/up,workdir={place}/work overlay {place}/all"
        )
        failure = _failure(lambda: _unshare("sh", "-c", script))
    if not failure:
        return Check("overlayfs", "ok", "mounts")
    return Check("overlayfs", "fail", failure, "modprobe overlay")


def _cgroups() -> Check:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return Check("cgroups", "ok", "version 2 at /sys/fs/cgroup")
    if os.geteuid() != 0:
        return Check("cgroups", "warn", "version 1 or hybrid; whether version 2 mounts is known to root only")
    failure = _failure(lambda: _unshare("sh", "-c", "mount -t cgroup2 cgroup2 /mnt"))
    if not failure:
        return Check("cgroups", "ok", "version 1 or hybrid; version 2 mounts in a private namespace")
    return Check(
        "cgroups",
        "fail",
        f"no version 2: {failure}",
        "Boot with systemd.unified_cgroup_hierarchy=1 on the kernel command line.",
    )


def _isolation() -> Check:
    try:
        isolation = call_isolated(lambda: None, timeout=_PROBE_SECONDS, what="the probe").isolation
    except HoldfastError as error:
        return Check("evaluation", "fail", error.brief, error.resolution)
    if isolation is Isolation.NONE:
        return Check(
            "evaluation",
            "warn",
            "definitions can reach the network here: neither namespaces nor seccomp filters are allowed",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        )
    return Check("evaluation", "ok", f"the network is taken away by a {isolation.value}")


def _store() -> Check:
    from holdfast.store import open_store

    try:
        store = open_store()
        store.blobs.put_bytes(b"")
    except HoldfastError as error:
        return Check(
            "store", "fail", error.brief, error.resolution or "Set HOLDFAST_STORE to a directory of yours."
        )
    return Check("store", "ok", f"{store.root} is writable")


def _disk() -> Check:
    from holdfast.store import open_store

    try:
        root = open_store().root
        free = shutil.disk_usage(root).free
    except HoldfastError:
        return Check("disk", "warn", "not known without a store")
    found = f"{free / 1e9:.1f} GB free at {root}"
    if free < _LOW_DISK_BYTES:
        return Check("disk", "warn", found, "holdfast store gc, or move the store by HOLDFAST_STORE.")
    return Check("disk", "ok", found)


def _failure(probe: Callable[[], Completed]) -> str:
    """Empty if the probe succeeded, else its last line."""
    try:
        completed = probe()
    except HoldfastError as error:
        return error.brief
    if completed.returncode == 0:
        return ""
    lines = completed.stderr.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"exit code {completed.returncode}"
