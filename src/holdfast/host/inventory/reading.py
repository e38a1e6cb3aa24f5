"""Reading what a machine is, with nothing declared and nothing changed: see :mod:`holdfast.manifest.inventory`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from holdfast.base.errors import explain_os_errors
from holdfast.host.accounts.owned import is_this_machine
from holdfast.host.accounts.tables import FIELDS, Accounts, Ranges
from holdfast.host.files.nodes import File, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.inventory.files import FileFinder, settings_of
from holdfast.host.inventory.packages import asked_for, read_dpkg
from holdfast.host.inventory.people import read_groups, read_people
from holdfast.host.inventory.units import read_firewalls, read_found_units, read_timers
from holdfast.host.planning.basics import locale_of
from holdfast.host.planning.identity import first_word, zone_of
from holdfast.manifest.inventory import INVENTORY_VERSION, FoundMount, Inventory

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_CRONTABS = "/var/spool/cron/crontabs"


def read_inventory(root: RootDirectory, *, contents: bool = False, secrets: bool = False) -> Inventory:
    """Look at the machine below ``root``; nothing is run.

    ``contents``: with what is in the files that are found. ``secrets``: with the hashes of people's passwords.

    Raises:
        HoldfastError: the root cannot be read.
    """
    with explain_os_errors("read the machine"):
        return _read(root, contents, secrets)


def _read(root: RootDirectory, contents: bool, secrets: bool) -> Inventory:
    here = is_this_machine(root)
    dpkg = read_dpkg(root)
    accounts = Accounts.parse(
        {path: data for name in FIELDS if (data := root.read(path := f"/etc/{name}")) is not None}
    )
    ranges = Ranges.parse(root.read("/etc/login.defs") or b"")
    files = FileFinder(root, dpkg, accounts, contents=contents)
    files.conffiles()
    files.places()
    units = read_found_units(root, dpkg, files)
    people = read_people(root, accounts, ranges, files, secrets=secrets)
    groups, packaged = read_groups(accounts, ranges, people)
    found = files.result()
    return Inventory(
        version=INVENTORY_VERSION,
        os_release=_os_release(root),
        architecture=dpkg.architecture,
        hostname=first_word(root.read("/etc/hostname")) or (os.uname().nodename if here else None),
        locale=locale_of(root),
        timezone=_timezone(root),
        kernel=os.uname().release if here else None,
        systemd=dpkg.version("systemd"),
        python=dpkg.version("python3"),
        virtualization=_virtualization() if here else None,
        unstable=_unstable(root),
        packages=asked_for(dpkg, root),
        held=tuple(sorted(name for name, package in dpkg.packages.items() if package.held)),
        installed={name: package.version for name, package in sorted(dpkg.packages.items())},
        files=found.files,
        links=found.links,
        left_out=found.left_out,
        units=units,
        timers=read_timers(root),
        users=people,
        groups=groups,
        packaged_groups=packaged,
        sysctl=_sysctl(root),
        firewall=read_firewalls(root),
        mounts=_mounts(root),
        crontabs=tuple(name for name, node in root.scan(_CRONTABS).items() if isinstance(node, File)),
    )


def _os_release(root: RootDirectory) -> dict[str, str]:
    """See os-release(5): assignments as a shell reads them."""
    data = next((data for path in _OS_RELEASE if (data := root.read(path)) is not None), b"")
    found: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            try:
                found[key] = "".join(shlex.split(value))
            except ValueError:
                found[key] = value
    return found


def _timezone(root: RootDirectory) -> str | None:
    """The zone that the clock shows, unless two files contradict each other or it is not there."""
    link = root.locate("/etc/localtime").node
    zone = zone_of(link.target) if isinstance(link, Symlink) else None
    told = first_word(root.read("/etc/timezone")) or zone
    there = zone and isinstance(root.locate(f"/usr/share/zoneinfo/{zone}", follow=True).node, File)
    return zone if there and told == zone else None


def _unstable(root: RootDirectory) -> bool:
    paths = ["/etc/apt/sources.list", *(f"/etc/apt/sources.list.d/{name}" for name in root.scan("/etc/apt/sources.list.d"))]  # fmt: skip
    for path in paths:
        for line in (root.read(path) or b"").decode("utf-8", "replace").splitlines():
            words = line.split()
            if words[:1] in (["deb"], ["Suites:"]) and {"sid", "unstable"} & set(words):
                return True
    return False


def _virtualization() -> str | None:
    """What systemd-detect-virt(1) would find, as far as a file says it."""
    if Path("/run/systemd/container").exists():
        return "container"
    with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if line.startswith("flags"):
                return "vm" if "hypervisor" in line.split() else None
    return None


def _sysctl(root: RootDirectory) -> dict[str, str]:
    paths = [*(f"/etc/sysctl.d/{name}" for name in root.scan("/etc/sysctl.d")), "/etc/sysctl.conf"]
    return settings_of((root.read(path) or b"").decode("utf-8", "replace") for path in paths)


def _mounts(root: RootDirectory) -> tuple[FoundMount, ...]:
    lines = (root.read("/etc/fstab") or b"").decode("utf-8", "replace").splitlines()
    fields = [line.split() for line in lines if line.strip() and not line.strip().startswith("#")]
    return tuple(FoundMount(*words[:4]) for words in fields if len(words) >= 4)
