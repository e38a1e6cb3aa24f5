"""What Holdfast did to a machine's packages, as its state keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass


@dataclass(frozen=True)
class PackageRecord:
    """One package that we touched: as we left it, and as we found it."""

    version: str | None
    """Version that we put there; None: we removed it, because the definition says so."""
    automatic: bool = False
    """The mark we gave it (apt-mark(8))."""
    before: str | None = None
    """Version that was there; None: it was not installed, so it is ours to remove."""
    before_automatic: bool = False
    architecture: str = ""
    """Of the package file: ``amd64``, ``all``."""
    before_architecture: str = ""
    sha256: Digest | None = None
    """Of the package file that we installed."""

    @property
    def placed(self) -> bool:
        """The version is our doing, not only a mark."""
        return self.version is not None and self.version != self.before

    def put(self, version: str) -> bool:
        """It is we who brought the package to this version."""
        return self.placed and self.version == version


@dataclass(frozen=True)
class PackageState:
    packages: Mapping[str, PackageRecord] = field(default_factory=lambda: {})
    """By name, and ``NAME:ARCHITECTURE`` for an architecture that is not the machine's own."""
    conffiles: Mapping[str, str] = field(default_factory=lambda: {})
    """Managed paths that are a package's conffiles: MD5 sum of the packaged version that is restored when the entry goes."""
