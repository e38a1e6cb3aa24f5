"""From an evaluated system to what travels to the machine that it is for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.build.generation import make_generation
from holdfast.distro.family import family
from holdfast.distro.lockfile import Ids, Lock, PackageSet, read_lock
from holdfast.manifest.contents import Download
from holdfast.project.building import store_contents
from holdfast.project.downloads import store_downloads
from holdfast.project.evaluation import EvaluatedSystem, Evaluation
from holdfast.project.keeping import keep_locked
from holdfast.project.locking import locked_set
from holdfast.store import Artifact, Store

Installed = frozenset[tuple[str, str, str]]
"""Name, version and architecture of packages on a machine."""


@dataclass(frozen=True)
class Travelling:
    """One system, ready to be brought to any number of machines."""

    system: EvaluatedSystem
    package_set: PackageSet | None
    """None: nothing is locked for it, since it asks for no packages, or because the project has no lock."""
    make: Callable[[Installed], Artifact]
    """The generation for a machine that has these packages already. Safe to call from several threads.

    Raises:
        HoldfastError: a package file cannot be had.
    """


def prepare_generations(store: Store, evaluation: Evaluation) -> tuple[Travelling, ...]:
    """Put everything that the evaluated systems name into the store, but for packages: which of them have to travel is seen
    when a machine is reached. Systems without packages need no lock, and nothing of the distribution's.

    Raises:
        HoldfastError: a content cannot be had, or the lock is stale.
    """
    lock = read_lock(evaluation.lock_path)
    sets = {system.name: _package_set(lock, system) for system in evaluation.systems}
    downloads = {
        system.name: [content for content in system.contents if isinstance(content, Download)]
        for system in evaluation.systems
    }
    if any(downloads.values()):
        store_downloads(store, downloads)
    gate = threading.Lock()
    made: list[Travelling] = []
    for system in evaluation.systems:
        store_contents(store, system)
        ids = lock.accounts.get(system.name, Ids())
        package_set = sets[system.name]

        def make(
            installed: Installed,
            system: EvaluatedSystem = system,
            ids: Ids = ids,
            package_set: PackageSet | None = package_set,
        ) -> Artifact:
            with gate:  # machines want the same packages: they are fetched once
                digests = _fetch(store, package_set, installed) if package_set else ()
                if digests:
                    keep_locked(store, evaluation.lock_path, lock)
                return make_generation(store, system.manifest, package_set, ids, packages=digests)

        made.append(Travelling(system, package_set, make))
    return tuple(made)


def _package_set(lock: Lock, system: EvaluatedSystem) -> PackageSet | None:
    """Without any lock the machine says what it lacks: nothing, say, where the definition describes it as it is."""
    packages = system.manifest.packages
    if not (packages.install or packages.remove) or not lock.sets:
        return None
    return locked_set(lock, system.manifest)


def _fetch(store: Store, package_set: PackageSet, installed: Installed) -> tuple[Digest, ...]:
    """The package files that have to travel: what is installed there in this version, or a newer one that stays, does not."""
    older = family(package_set.distribution).older
    there = {(name, architecture): version for name, version, architecture in installed}
    absent = tuple(
        package
        for package in package_set.packages
        if (package.name, package.architecture) not in there
        or older(there[package.name, package.architecture], package.version)
    )
    if absent:
        family(package_set.distribution).fetch(store, replace(package_set, packages=absent))
    return tuple(package.sha256 for package in absent)
