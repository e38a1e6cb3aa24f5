"""What Holdfast asks of a family of distributions. Each family is a package beside this module; what differs between its
releases is a table in there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.distro.lockfile import PackageSet
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import Layer, Store

Update = Literal["nothing", "security", "everything"]


@dataclass(frozen=True)
class Bootstrapped:
    """A bootable system made of packages alone."""

    tree: Path
    """Unpacked, in the store, for reading only."""
    layer: Layer
    epoch: int
    """SOURCE_DATE_EPOCH it was made with."""


class Family(Protocol):
    """One family of distributions: Debian's, say."""

    def releases(self) -> tuple[str, ...]:
        """Names of the releases that have a row in the table."""
        ...

    def resolve(
        self,
        store: Store,
        distribution: Distribution,
        packages: Packages,
        previous: PackageSet | None = None,
        *,
        update: Update = "nothing",
    ) -> PackageSet:
        """Choose the packages. Fetches and verifies indexes, and lets the distribution's own package manager solve.

        ``previous`` keeps its ids and, unless ``update`` says otherwise, its moment in time: what is locked stays at its
        version and only what the request needs in addition is added.

        Raises:
            HoldfastError: a source cannot be had or trusted, a package does not exist, packages are in conflict.
        """
        ...

    def fetch(self, store: Store, package_set: PackageSet) -> None:
        """Bring every package of the set into the store's blobs. Without a network access when they are there.

        Raises:
            HoldfastError: a package cannot be had, or is not what the lock says.
        """
        ...

    def bootstrap(self, store: Store, package_set: PackageSet) -> Bootstrapped:
        """Make the system tree. A function of the set alone: the same set gives the same layer.

        Raises:
            HoldfastError: a maintainer script fails, or creates an account that the set's ids do not know.
        """
        ...

    def installed(self, root: Path) -> Mapping[str, str]:
        """Package name to version, of the system whose root file system is at ``root``."""
        ...

    def older(self, left: str, right: str) -> bool:
        """Whether version ``left`` is older than ``right`` in the distribution's own order."""
        ...


_FAMILIES: Mapping[str, str] = {"debian": "holdfast.distro.debian.family"}
"""Family to the module whose ``FAMILY`` implements it; imported when asked for."""


def family(distribution: Distribution) -> Family:
    """The implementation of ``distribution``'s family.

    Raises:
        HoldfastError: there is none of that name.
    """
    module = _FAMILIES.get(distribution.family)
    if module is None:
        raise unknown("distribution family", distribution.family, tuple(_FAMILIES))
    return cast("Callable[[], Family]", import_module(module).make_family)()


def unknown(kind: str, name: str, known: tuple[str, ...]) -> HoldfastError:
    """The error for a name that is in no table: with the nearest one, and all of them."""
    near = get_close_matches(name, known, n=1)
    return HoldfastError(
        f"unknown {kind} {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""),
        resolution=f"Known: {', '.join(known)}.",
    )
