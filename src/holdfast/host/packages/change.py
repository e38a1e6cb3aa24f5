"""A change to the packages of a machine, planned: what people are shown, and what takes it back after a crash."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.host.files.nodes import File
from holdfast.host.packages.record import PackageState
from holdfast.host.steps import UnitJob

Verb = Literal["install", "upgrade", "downgrade", "remove", "purge"]
Source = Literal["store", "kept", "cache", "download", ""]


@dataclass(frozen=True)
class PackageOptions:
    """How far a change may go."""

    mode: Literal["forward", "back", "exact"] = "forward"
    """``forward``: what is newer than the lock stays. ``back``: versions that we put there go back, for a rollback; what
    somebody else upgraded since stays. ``exact``: every package of ours gets the locked version."""
    irreversible: bool = False
    """Go on although an old package cannot be had, so that nothing could bring it back."""
    protected: bool = False
    """Remove also what the machine, or the way in, needs, where the definition says so."""
    purge: bool = False
    """Remove the configuration, and whatever else a purge removes, of our packages that go. It may delete people's data."""
    restart_stale: bool = False
    """Restart services that still use what was replaced."""


@dataclass(frozen=True)
class PackageFile:
    """One package file, and where to get it."""

    name: str
    version: str
    architecture: str
    source: Source = ""
    """``store``: a blob; ``kept``: kept by us; ``cache``: apt's; ``download``: from the machine's own sources; empty: nowhere."""
    sha256: Digest | None = None

    @property
    def file_name(self) -> str:
        """As apt names it in its cache."""
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.architecture}.deb"


@dataclass(frozen=True)
class PackageAction:
    """What becomes of one package, and why."""

    verb: Verb
    package: str
    """Its name, with ``:ARCHITECTURE`` where that is foreign."""
    before: str | None
    after: str | None
    reason: str
    old: PackageFile | None = None
    """What brings the old one back; None where nothing was installed."""
    new: PackageFile | None = None
    configured: bool = False
    """Nothing was installed, but configuration of an earlier installation was there: it is never purged."""


@dataclass(frozen=True)
class PackageMark:
    """A package's marks in apt and dpkg, before and after."""

    package: str
    automatic_before: bool
    automatic: bool
    held_before: bool
    held: bool


@dataclass(frozen=True)
class Debris:
    """A file that a package left beside a managed one."""

    path: str
    managed: str
    file: File
    new: bool
    """It is the package's new version; otherwise an old one of no use."""


@dataclass(frozen=True)
class NewConffile:
    """A package's new version of a file that the definition manages."""

    path: str
    file: File
    restored: bool
    """It comes back when the entry goes; otherwise a person had edited the file before, and that comes back."""
    diff: str
    """What the package changed in it."""


@dataclass(frozen=True)
class PackageChange:
    actions: tuple[PackageAction, ...] = ()
    marks: tuple[PackageMark, ...] = ()
    before: PackageState = field(default_factory=PackageState)
    after: PackageState = field(default_factory=PackageState)
    """What the machine's state has to say once the change is made."""
    debris: tuple[Debris, ...] = ()
    """New versions of managed conffiles that somebody else's upgrade left beside them."""
    declared: tuple[str, ...] = ()
    """Paths of the definition's files, which may turn out to be conffiles of what is installed."""
    irreversible: tuple[str, ...] = ()
    """Packages whose old version cannot be had."""
    problems: tuple[str, ...] = ()
    """Why it must not be carried out."""
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    options: PackageOptions = field(default_factory=PackageOptions)
    recommends: bool = False
    fingerprint: Digest | None = None
    """Of dpkg's status when it was planned: another one means that somebody else was at work meanwhile."""

    @property
    def empty(self) -> bool:
        return not self.actions and not self.marks and not self.debris


@dataclass(frozen=True)
class Stale:
    """A unit with processes that use files which are not there any more in that version."""

    unit: str
    """Empty for processes of no unit."""
    processes: tuple[str, ...]
    """``NAME (PID)``."""
    files: tuple[str, ...]


@dataclass(frozen=True)
class PackageResult:
    """What is to be done about a change of packages once the files are in place."""

    jobs: tuple[UnitJob, ...] = ()
    """What the packages themselves would have done to their services, had they been let."""
    conffiles: tuple[NewConffile, ...] = ()
    """Managed paths of which a package brought a new version; its content is kept."""
    after: PackageState = field(default_factory=PackageState)
    """What the machine's state has to say now."""
    stale: tuple[Stale, ...] = ()
