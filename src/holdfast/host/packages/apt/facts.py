"""What is known of a machine's packages before a change to them is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.host.packages.apt.database import Database
from holdfast.host.packages.change import Debris, PackageFile


@dataclass(frozen=True)
class Simulated:
    """One package in what apt says that it would do."""

    name: str
    architecture: str
    before: str | None
    after: str | None
    """None: it would be removed."""


@dataclass(frozen=True)
class Simulation:
    """What apt would do, asked for what the definition wants."""

    steps: tuple[Simulated, ...] = ()
    error: str = ""
    """apt's own words for why it cannot."""


@dataclass(frozen=True)
class Holder:
    """A process that has one of the package managers' locks."""

    pid: int
    command: str


@dataclass(frozen=True)
class ConffileFacts:
    packaged: Mapping[str, str] = field(default_factory=lambda: {})
    """Paths, declared or managed, of which what was there before us is the packaged version: its MD5 sum."""
    debris: tuple[Debris, ...] = ()


@dataclass(frozen=True)
class PackageFacts:
    database: Database = field(default_factory=Database)
    releases: frozenset[str] = frozenset()
    """Code names that os-release(5) gives the machine: testing has two."""
    distribution: str = ""
    """PRETTY_NAME."""
    live: bool = True
    """apt can be run: it is the machine itself, not a directory."""
    interrupted: bool = False
    """dpkg was killed earlier and has not been put right."""
    declared: tuple[str, ...] = ()
    """Paths of the definition's files."""
    conffiles: ConffileFacts = field(default_factory=ConffileFacts)
    kernel: str = ""
    """Release of the kernel that runs, see uname(2)."""
    busy: Holder | None = None
    offered: frozenset[tuple[str, str, str]] = frozenset()
    """(name, version, architecture) of those wanted packages whose files are there."""
    simulation: Simulation = field(default_factory=Simulation)
    again: Simulation | None = None
    """The same without what only goes back to an older version: what to do where that is impossible."""
    old: Mapping[str, PackageFile] = field(default_factory=lambda: {})
    """Where the package files come from that bring back what the simulation would replace, by package."""
    sizes: Mapping[str, int] = field(default_factory=lambda: {})
    """Installed size in bytes of the offered packages, by package."""
    free: int = 0
    """Bytes that are free below /usr."""
    fingerprint: Digest | None = None
