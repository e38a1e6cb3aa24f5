"""Which packages a generation wants on a machine, as data: what the lock says, without how it came about."""

from __future__ import annotations

from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.digests import Digest, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.manifest.model import Manifest

SCHEMA = 1


@dataclass(frozen=True)
class WantedPackage:
    """One locked package file."""

    name: str
    version: str
    architecture: str
    """As its control file has it: ``amd64``, ``all``."""
    size: int
    """Bytes."""
    sha256: Digest
    """Of the package file, which is a blob of the generation unless the machine is known to have that very package."""
    automatic: bool = False
    """Wanted because something depends on it, not because it was asked for (apt-mark(8))."""


@dataclass(frozen=True)
class WantedPackages:
    """A request for packages, and the closed set that the distribution's resolver chose for it on an empty system."""

    schema: int
    """:data:`SCHEMA` of whoever wrote it."""
    family: str
    release: str
    architecture: str
    packages: tuple[WantedPackage, ...] = ()
    """Sorted by name and architecture. Empty where nothing is locked: then everything asked for must be there already."""
    install: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    hold: tuple[str, ...] = ()
    recommends: bool = False


def write_wanted_packages(wanted: WantedPackages) -> bytes:
    return canonical_json(wanted)


def read_wanted_packages(data: bytes) -> WantedPackages:
    """Parse what :func:`write_wanted_packages` wrote.

    Raises:
        HoldfastError: it is damaged, or a newer Holdfast wrote it.
    """
    wanted = decode_json(WantedPackages, data, what="the package set")
    if wanted.schema > SCHEMA:
        raise HoldfastError(
            f"the package set has schema {wanted.schema}; this holdfast reads up to {SCHEMA}",
            resolution="Upgrade holdfast on this machine.",
        )
    for package in wanted.packages:
        parse_digest(package.sha256)
    return wanted


def unlocked(manifest: Manifest) -> WantedPackages:
    """What a manifest asks for where nothing is locked for it."""
    distribution, packages = manifest.distribution, manifest.packages
    return WantedPackages(
        SCHEMA,
        distribution.family,
        distribution.release,
        distribution.architecture,
        (),
        packages.install,
        packages.remove,
        packages.hold,
        packages.recommends,
    )
