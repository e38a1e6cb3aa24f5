"""What differs between Debian's releases, as data. Code elsewhere asks the row; it never compares release names."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.base.records import dataclass
from holdfast.distro.family import unknown
from holdfast.manifest.model import Distribution, Source

KEYRING_FILES = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)
"""Where the keyring package puts its keys; the first that exists is used."""
UBUNTU_KEYRING_FILES = (
    "/usr/share/keyrings/ubuntu-archive-keyring.pgp",
    "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
)


@dataclass(frozen=True)
class Archive:
    """A tree of suites and packages that many mirrors serve."""

    id: str
    primary: str
    """The public mirror that is asked when nobody names another."""
    environment: str
    """Variable that names another mirror."""
    snapshot: str | None
    """The archive's name at Debian's snapshot service, which keeps every file that ever was in it; None: not there."""
    distribution: str = "Debian"
    """Whose archive keys sign it."""


@dataclass(frozen=True)
class Suite:
    """One suite that a release's systems follow."""

    archive: str
    name: str
    check_valid_until: bool = True


@dataclass(frozen=True)
class Remade:
    """A unit that makes on each machine what was scrubbed from its image, where the package itself does so only once."""

    wanted_by: tuple[str, ...]
    """Packaged units; the row counts for a tree that has the first."""
    unit: str
    text: str


@dataclass(frozen=True)
class Release:
    """One release. ``tags`` select it in test matrices."""

    name: str
    tags: tuple[str, ...]
    suites: tuple[Suite, ...]
    merged_usr_links: tuple[str, ...] = ()
    """Directories of the root that must be links into /usr before packages are unpacked, where base-files does not
    ship the links itself."""
    base: tuple[str, ...] = ()
    """Packages of a bootable system beside those that Debian calls essential."""
    scrub: tuple[str, ...] = ()
    """What configuring leaves that is random, a log or a cache: globs, removed at the end of the bootstrap."""
    remade: tuple[Remade, ...] = ()
    emptied: tuple[str, ...] = ("/etc/machine-id",)
    """Files that must be there and empty. Without a machine-id the first boot runs as if it were the first of all, and
    waits a minute for a network."""
    components: tuple[str, ...] = ("main",)
    keyring: str = "debian-archive-keyring"
    """Package with the keys that sign the release."""
    keyring_files: tuple[str, ...] = KEYRING_FILES
    ports: str | None = None
    """Archive that has all suites for architectures other than amd64 and i386; None: the same as for those."""


ARCHIVES: Mapping[str, Archive] = {
    row.id: row
    for row in (
        Archive("debian", "http://deb.debian.org/debian", "HOLDFAST_MIRROR_DEBIAN", "debian"),
        Archive(
            "debian-security",
            "http://deb.debian.org/debian-security",
            "HOLDFAST_MIRROR_DEBIAN_SECURITY",
            "debian-security",
        ),
        Archive("ubuntu", "http://archive.ubuntu.com/ubuntu", "HOLDFAST_MIRROR_UBUNTU", None, "Ubuntu"),
        Archive(
            "ubuntu-security",
            "http://security.ubuntu.com/ubuntu",
            "HOLDFAST_MIRROR_UBUNTU_SECURITY",
            None,
            "Ubuntu",
        ),
        Archive(
            "ubuntu-ports",
            "http://ports.ubuntu.com/ubuntu-ports",
            "HOLDFAST_MIRROR_UBUNTU_PORTS",
            None,
            "Ubuntu",
        ),
    )
}

CGROUP_TAGS = ("cgroup-v1", "cgroup-hybrid", "cgroup-v2")
INIT_TAGS = ("init-systemd", "init-sysv", "init-openrc")

# systemd mounts with mount(8); from 262 on it no longer depends on the package.
_BASE = ("apt", "dbus", "mount", "systemd", "systemd-sysv")

_SCRUB = (
    "/etc/.pwd.lock",
    "/etc/*-",  # what passwd, group, shadow, gshadow, subuid and subgid were a moment ago
    "/etc/ssh/ssh_host_*_key*",
    "/run/*",
    "/tmp/*",
    "/var/cache/apt/*.bin",
    "/var/cache/apt/archives/*.deb",
    "/var/cache/debconf/*-old",
    "/var/cache/ldconfig/*",
    "/var/cache/man/*",
    "/var/lib/apt/lists/*_*",
    "/var/lib/dbus/machine-id",
    "/var/lib/dpkg/*-old",
    "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/triggers/Lock",
    "/var/lib/dpkg/triggers/Unincorp",
    "/var/lib/systemd/random-seed",
    "/var/lib/ucf/cache/*",
    "/var/log/alternatives.log",
    "/var/log/apt/*",
    "/var/log/bootstrap.log",
    "/var/log/dpkg.log",
    "/var/log/faillog",
    "/var/log/lastlog",
    "/var/tmp/*",
)

_REMADE = (
    Remade(
        ("ssh.service", "ssh.socket"),
        "holdfast-ssh-host-keys.service",
        """\
[Unit]
Description=Host keys of this machine's own for sshd
Documentation=man:ssh-keygen(1)
# One that is there stays: only a machine that has none makes its own.
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
Before=ssh.service ssh.socket

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
""",
    ),
)

RELEASES: Mapping[str, Release] = {
    row.name: row
    for row in (
        Release(
            name="bookworm",
            tags=("debian", "bookworm", "debian-12", "cgroup-v2", "init-systemd"),
            suites=(
                Suite("debian", "bookworm"),
                Suite("debian", "bookworm-updates"),
                Suite("debian-security", "bookworm-security"),
            ),
            # base-files ships the links from trixie on; usr-is-merged then only asserts them.
            merged_usr_links=("bin", "lib", "lib32", "lib64", "libx32", "sbin"),
            base=(*_BASE, "usr-is-merged"),
            scrub=_SCRUB,
            remade=_REMADE,
        ),
        Release(
            name="trixie",
            tags=("debian", "trixie", "debian-13", "cgroup-v2", "init-systemd"),
            suites=(
                Suite("debian", "trixie"),
                Suite("debian", "trixie-updates"),
                Suite("debian-security", "trixie-security"),
            ),
            base=_BASE,
            scrub=_SCRUB,
            remade=_REMADE,
        ),
        Release(
            name="forky",
            tags=("debian", "forky", "debian-14", "cgroup-v2", "init-systemd"),
            # Nothing is promised for testing: a mirror of it may stand still for weeks and still be the one to use.
            suites=(
                Suite("debian", "forky", check_valid_until=False),
                Suite("debian", "forky-updates", check_valid_until=False),
                Suite("debian-security", "forky-security", check_valid_until=False),
            ),
            base=_BASE,
            scrub=_SCRUB,
            remade=_REMADE,
        ),
        Release(
            name="sid",
            tags=("debian", "sid", "debian-unstable", "cgroup-v2", "init-systemd"),
            suites=(Suite("debian", "sid", check_valid_until=False),),
            base=_BASE,
            scrub=_SCRUB,
            remade=_REMADE,
        ),
    )
}


def _ubuntu(name: str, version: str, *, merged_usr_links: tuple[str, ...] = ()) -> Release:
    return Release(
        name=name,
        tags=("ubuntu", name, f"ubuntu-{version}", "cgroup-v2", "init-systemd"),
        suites=(
            Suite("ubuntu", name),
            Suite("ubuntu", f"{name}-updates"),
            Suite("ubuntu-security", f"{name}-security"),
        ),
        merged_usr_links=merged_usr_links,
        base=_BASE,
        scrub=_SCRUB,
        remade=_REMADE,
        components=("main", "universe"),
        keyring="ubuntu-keyring",
        keyring_files=UBUNTU_KEYRING_FILES,
        ports="ubuntu-ports",
    )


# These rows are known to the tables alone: no test builds or boots them.
UBUNTU_RELEASES: Mapping[str, Release] = {
    row.name: row
    for row in (
        _ubuntu("jammy", "22.04", merged_usr_links=("bin", "lib", "lib32", "lib64", "libx32", "sbin")),
        _ubuntu("noble", "24.04"),
        _ubuntu("plucky", "25.04"),
        _ubuntu("questing", "25.10"),
        _ubuntu("resolute", "26.04"),
    )
}


def find_release(name: str) -> Release:
    """The row of ``name``, a release of Debian or Ubuntu.

    Raises:
        HoldfastError: there is none; names the nearest and all.
    """
    row = RELEASES.get(name) or UBUNTU_RELEASES.get(name)
    if row is None:
        raise unknown("release of Debian or Ubuntu", name, (*RELEASES, *UBUNTU_RELEASES))
    return row


def default_sources(release: Release, architecture: str) -> tuple[Source, ...]:
    """The row's suites as sources."""
    ports = release.ports if architecture not in ("amd64", "i386") else None
    return tuple(
        Source(
            ports or suite.archive, suite.name, release.components, check_valid_until=suite.check_valid_until
        )
        for suite in release.suites
    )


def main_archive(distribution: Distribution) -> str:
    """The archive that a distribution's own ``mirror`` is of; ``debian`` for a release that has no row."""
    row = RELEASES.get(distribution.release) or UBUNTU_RELEASES.get(distribution.release)
    return default_sources(row, distribution.architecture)[0].archive if row else "debian"
