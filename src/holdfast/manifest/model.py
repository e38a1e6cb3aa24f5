"""The frozen description of one system: the narrow waist between the author's Python and everything after it.

Every type here is plain data for :mod:`holdfast.base.codec`. A field that is added later gets a default, and a
change of meaning gets a new :data:`SCHEMA_VERSION`. Mappings are read-only by agreement: nobody writes into a manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal, Union

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Source:
    """One apt-like package source. Which mirror serves it is decided when it is fetched."""

    archive: str
    """Stable id of the archive, such as ``debian`` or ``debian-security``; what the lock names instead of a mirror."""
    suite: str
    components: tuple[str, ...]
    mirror: str | None = None
    """Base URL from the definition; None leaves the choice to the environment and the machine."""
    key: str | None = None
    """ASCII-armoured OpenPGP public keys that may sign it; None means the distribution's own keyring."""
    check_valid_until: bool = True


@dataclass(frozen=True)
class Distribution:
    """Which distribution a system is, as data: the families' code lives in ``holdfast.distro``."""

    family: str
    """``debian``; later ``fedora``, ``arch``, ..."""
    release: str
    """The family's own name for it: ``trixie``."""
    architecture: str
    """The family's own name for it: ``amd64``."""
    sources: tuple[Source, ...] = ()
    """In order; empty means the release's own table."""
    mirror: str | None = None
    """Mirror of the distribution's main archive, from the definition."""


@dataclass(frozen=True)
class Identity:
    """Who the system is, and how it speaks: hostname(5), locale.conf(5), localtime(5)."""

    hostname: str
    locale: str | None = "C.UTF-8"
    """None leaves what a machine has."""
    timezone: str | None = "UTC"
    """None leaves what a machine has."""
    assumed: tuple[str, ...] = ()
    """Which of these nobody declared: a system that is made gets them, one that exists keeps what it has."""


@dataclass(frozen=True)
class Packages:
    """What the distribution's package manager is to install, remove and keep from changing."""

    install: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    recommends: bool = False
    """Install what the wanted packages merely recommend, too."""
    repositories: Mapping[str, Source] = field(default_factory=lambda: {})
    """Further sources by name; each also becomes ``/etc/apt/sources.list.d/NAME.sources`` on the system."""


@dataclass(frozen=True)
class TextFile:
    """A file whose content is in the manifest itself."""

    text: str
    mode: str = "0644"
    """Four octal digits: ``0644``, ``4755``."""
    user: str = "root"
    group: str = "root"
    kind: Literal["text"] = "text"


@dataclass(frozen=True)
class BlobFile:
    """A file whose content is a blob of the store."""

    digest: Digest
    mode: str = "0644"
    user: str = "root"
    group: str = "root"
    kind: Literal["blob"] = "blob"


@dataclass(frozen=True)
class Link:
    """A symbolic link; ``target`` may be relative, absolute or dangling."""

    target: str
    kind: Literal["link"] = "link"


@dataclass(frozen=True)
class Directory:
    """A directory itself, not what is in it."""

    mode: str = "0755"
    user: str = "root"
    group: str = "root"
    kind: Literal["directory"] = "directory"


@dataclass(frozen=True)
class SecretFile:
    """A file whose content only the target learns: it decrypts the blob, and keeps no copy but the file itself."""

    digest: Digest
    """Of the encrypted blob."""
    encryption: Literal["age", "sops"]
    identities: tuple[str, ...] = ("/etc/ssh/ssh_host_ed25519_key",)
    """Files on the target with the private keys to try: age identities or ssh private keys."""
    mode: str = "0400"
    user: str = "root"
    group: str = "root"
    kind: Literal["secret"] = "secret"


Entry = Union[TextFile, BlobFile, Link, Directory, SecretFile]


@dataclass(frozen=True)
class Unit:
    """A systemd unit by its full name (``hello.service``), see systemd.unit(5)."""

    text: str | None = None
    """Whole unit file for /etc/systemd/system; None when a package ships the unit."""
    dropins: Mapping[str, str] = field(default_factory=lambda: {})
    """Name of the drop-in (``10-limits.conf``) to its text."""
    enable: bool | None = None
    """For a packaged unit: what `systemctl enable` or `disable` would do; None leaves it as the package has it."""
    wanted_by: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    upheld_by: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    masked: bool = False
    on_change: Literal["restart", "reload", "stop-start", "nothing"] = "restart"
    """What a running unit needs when its definition or one of ``restart_triggers`` changes."""
    stop_on_removal: bool = True
    restart_triggers: tuple[str, ...] = ()
    reload_triggers: tuple[str, ...] = ()


@dataclass(frozen=True)
class User:
    """An account, see passwd(5)."""

    uid: int | None = None
    group: str | None = None
    """Primary group; None means a group of the user's own name."""
    groups: tuple[str, ...] = ()
    comment: str = ""
    home: str | None = None
    """None: ``/home/NAME`` for a person, ``/nonexistent`` for a system account."""
    create_home: bool = True
    shell: str | None = None
    """None: ``/bin/bash`` for a person, ``/usr/sbin/nologin`` for a system account."""
    system: bool = False
    hashed_password: str | None = None
    """A crypt(5) string; None: no password login."""
    authorized_keys: tuple[str, ...] = ()
    linger: bool = False


@dataclass(frozen=True)
class Group:
    """A group of accounts, see group(5)."""

    gid: int | None = None
    system: bool = False
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A command that must succeed before anything is changed."""

    command: tuple[str, ...]
    message: str = ""
    """What to tell when it fails; empty: what the command printed."""


@dataclass(frozen=True)
class Task:
    """A command that brings about what no file can say: it runs unless ``done`` succeeds, or, without ``done``, once."""

    command: tuple[str, ...]
    done: tuple[str, ...] | None = None
    user: str = "root"
    undo: tuple[str, ...] | None = None
    """Runs when the task is no longer declared, or the switch that ran it is taken back."""


@dataclass(frozen=True)
class CommandProbe:
    """Healthy when the command exits with 0."""

    command: tuple[str, ...]
    kind: Literal["command"] = "command"


@dataclass(frozen=True)
class HttpProbe:
    """Healthy when the URL, asked for on the machine itself, answers with ``status``."""

    url: str
    status: int = 200
    contains: str = ""
    kind: Literal["http"] = "http"


@dataclass(frozen=True)
class TcpProbe:
    """Healthy when the port accepts a connection."""

    port: int
    host: str = "127.0.0.1"
    kind: Literal["tcp"] = "tcp"


@dataclass(frozen=True)
class UnitProbe:
    """Healthy when the unit is active."""

    unit: str
    kind: Literal["unit"] = "unit"


Probe = Union[CommandProbe, HttpProbe, TcpProbe, UnitProbe]


@dataclass(frozen=True)
class Health:
    """What decides, after a switch, between keeping it and taking it back."""

    probes: Mapping[str, Probe] = field(default_factory=lambda: {})
    deadline: int = 60
    """Seconds until every probe must have succeeded."""
    may_fail: tuple[str, ...] = ()
    """Units that may be in failed state afterwards although they were not before."""


@dataclass(frozen=True)
class Manifest:
    """Everything that is to be true of one system."""

    schema: int
    """:data:`SCHEMA_VERSION` of whoever wrote it; always present, so that a reader can refuse early."""
    name: str
    distribution: Distribution
    identity: Identity
    packages: Packages = field(default_factory=Packages)
    files: Mapping[str, Entry] = field(default_factory=lambda: {})
    """Absolute, normalised path to what is there."""
    units: Mapping[str, Unit] = field(default_factory=lambda: {})
    users: Mapping[str, User] = field(default_factory=lambda: {})
    groups: Mapping[str, Group] = field(default_factory=lambda: {})
    tmpfiles: tuple[str, ...] = ()
    """Lines of tmpfiles.d(5)."""
    tags: tuple[str, ...] = ()
    target: str | None = None
    """``USER@HOST`` that the system is deployed to."""
    sysctl: Mapping[str, str] = field(default_factory=lambda: {})
    """Kernel parameters by dotted name, see sysctl.d(5)."""
    kernel_modules: tuple[str, ...] = ()
    """Modules to load, now and at every boot, see modules-load.d(5)."""
    checks: Mapping[str, Check] = field(default_factory=lambda: {})
    before_switch: tuple[tuple[str, ...], ...] = ()
    """Commands that run before anything is changed; a failure ends the switch."""
    after_switch: tuple[tuple[str, ...], ...] = ()
    """Commands that run when everything is in place, before probes; a failure takes the switch back."""
    tasks: Mapping[str, Task] = field(default_factory=lambda: {})
    health: Health = field(default_factory=Health)
    allow_any_distribution: bool = False
    """Go on where os-release(5) names a distribution that Holdfast does not know."""
    state_version: int = 0
    """Version of what the machine's services keep; it may grow, and never shrink, also not by a rollback."""
    user_units: Mapping[str, Unit] = field(default_factory=lambda: {})
    """Units of each user's own manager, in /etc/systemd/user."""
