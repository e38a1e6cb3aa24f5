"""What a machine is found to be, before anybody declares anything: what `holdfast facts` prints and `holdfast init --from` starts from.

Plain data for :mod:`holdfast.base.codec`, like the manifest. Only what differs from the distribution as it is installed is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from holdfast.base.records import dataclass

INVENTORY_VERSION = 1


@dataclass(frozen=True)
class FoundFile:
    """A file in /etc that somebody changed or made."""

    sha256: str
    """``sha256:`` and 64 digits."""
    size: int
    mode: str
    """Four octal digits."""
    user: str
    """Name of the owner, or the number where it has none."""
    group: str
    reason: Literal["changed conffile", "not from a package"]
    text: str | None = None
    """The content, where it was asked for and is UTF-8."""
    base64: str | None = None
    """The content, where it was asked for and is not."""


@dataclass(frozen=True)
class FoundUnit:
    """What the machine itself says about a unit of systemd, beyond what packages say."""

    text: str | None = None
    """The whole file in /etc/systemd/system, for a unit written by hand."""
    dropins: Mapping[str, str] = field(default_factory=lambda: {})
    """File name to text, below /etc/systemd/system/NAME.d."""
    enable: bool | None = None
    """For a packaged unit: somebody enabled or disabled it, against what its package does."""
    masked: bool = False
    wanted_by: tuple[str, ...] = ()
    """For a unit written by hand: the links that start it."""
    required_by: tuple[str, ...] = ()
    upheld_by: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundUser:
    """A person's account, or root's."""

    uid: int
    group: str
    groups: tuple[str, ...]
    comment: str
    home: str
    shell: str
    has_home: bool
    has_shell: bool
    """The shell is there and can be run."""
    linger: bool = False
    can_use_password: bool = False
    """It has one that is not locked; the hash itself is only here where it was asked for."""
    hashed_password: str | None = None
    authorized_keys: tuple[str, ...] = ()
    """Lines of ~/.ssh/authorized_keys, where it is as Holdfast would write it; otherwise it is among the files."""


@dataclass(frozen=True)
class FoundGroup:
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class FoundMount:
    """One line of fstab(5)."""

    what: str
    where: str
    fs_type: str
    options: str


@dataclass(frozen=True)
class Inventory:
    """One machine."""

    version: int
    """:data:`INVENTORY_VERSION` of whoever wrote it; always present."""
    os_release: Mapping[str, str]
    """See os-release(5)."""
    architecture: str
    """The distribution's name for it: ``amd64``."""
    hostname: str | None = None
    locale: str | None = None
    """None: nothing says one."""
    timezone: str | None = None
    """None: nothing says one, or not by a link into the time zone database."""
    kernel: str | None = None
    """Release of the running kernel; None where it is not the machine's that this was read on."""
    systemd: str | None = None
    """Version of the package."""
    python: str | None = None
    virtualization: str | None = None
    """``container`` or ``vm``; None: neither that one could see."""
    unstable: bool = False
    """Its package sources are Debian's unstable, which os-release(5) cannot tell from testing."""
    packages: tuple[str, ...] = ()
    """Packages that somebody asked for, without the distribution's own base."""
    held: tuple[str, ...] = ()
    installed: Mapping[str, str] = field(default_factory=lambda: {})
    """Every installed package with its version."""
    files: Mapping[str, FoundFile] = field(default_factory=lambda: {})
    links: Mapping[str, str] = field(default_factory=lambda: {})
    """Symbolic links in the same places: path to target."""
    left_out: Mapping[str, str] = field(default_factory=lambda: {})
    """Paths whose content is nobody else's business, or too much, and why."""
    units: Mapping[str, FoundUnit] = field(default_factory=lambda: {})
    timers: tuple[str, ...] = ()
    """Every timer that is enabled."""
    users: Mapping[str, FoundUser] = field(default_factory=lambda: {})
    groups: Mapping[str, FoundGroup] = field(default_factory=lambda: {})
    """Groups with numbers for people, but for those that are one person's own."""
    packaged_groups: tuple[str, ...] = ()
    """Groups with lower numbers that people are in."""
    sysctl: Mapping[str, str] = field(default_factory=lambda: {})
    """What sysctl.d(5) files in /etc set."""
    firewall: tuple[str, ...] = ()
    """Enabled firewall services: ``nftables``, ``ufw``, ``firewalld``, ..."""
    mounts: tuple[FoundMount, ...] = ()
    crontabs: tuple[str, ...] = ()
    """Whose crontab(5) there is, below /var/spool/cron/crontabs."""
