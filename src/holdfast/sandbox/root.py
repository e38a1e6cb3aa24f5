"""What a root file system is made of, as frozen values: layers, an upper directory, and what is bound into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from holdfast.base.records import dataclass


@dataclass(frozen=True)
class Scratch:
    """An upper layer in memory, gone with the last process that uses it."""

    size: str = "75%"
    """As tmpfs(5) writes it: bytes with an optional k, m or g, or a percentage of the memory."""


@dataclass(frozen=True)
class Root:
    """A root file system.

    ========  =========  ==========================================================
    layers    upper      what it is
    ========  =========  ==========================================================
    some      None       the layers, read-only
    some      Scratch    the layers, changes in memory and thrown away
    some      a path     the layers, changes collected in that directory (overlayfs)
    none      a path     that directory itself, writable
    ========  =========  ==========================================================
    """

    layers: tuple[Path, ...]
    """Directories, bottom first, at most 500; whiteouts and opaque marks in overlayfs's own form."""
    upper: Path | Scratch | None = None
    work: Path | None = None
    """overlayfs's work directory, on the file system of ``upper``; by default ``<upper>.work`` beside it."""
    volatile: bool = True
    """Leave out every flush to the disk (fsync becomes free, dpkg fast). After a power cut ``upper`` is worthless."""

    def describe(self) -> str:
        """One line for errors: where this root is on the disk."""
        if isinstance(self.upper, Path):
            return str(self.upper)
        top = str(self.layers[-1]) if self.layers else "an empty root"
        return top if len(self.layers) < 2 else f"{top} over {len(self.layers) - 1} more layers"


@dataclass(frozen=True)
class Bind:
    """A file or directory of the machine, shown inside."""

    source: Path
    writable: bool = False


@dataclass(frozen=True)
class Sandbox:
    """A root file system and how it is entered. Same value, same surroundings: nothing of the person's shell gets in."""

    root: Root
    binds: Mapping[str, Bind] = field(default_factory=dict[str, Bind])
    """By absolute path inside. Missing mount points are made, which a read-only root refuses."""
    network: bool = False
    """Keep the machine's network (and its ``resolv.conf``). Otherwise there is ``lo`` and nothing else."""
    hostname: str = "holdfast"
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Added to :data:`holdfast.base.environment.BASE_ENVIRONMENT` and ``HOME=/root``."""
