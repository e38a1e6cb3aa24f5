"""One store for the whole run, so that every release is fetched and bootstrapped once, however many workers there are."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from holdfast.base.locks import file_lock
from holdfast.distro.family import Bootstrapped, family
from holdfast.distro.lockfile import Lock, PackageSet, read_lock, write_lock
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import Store, open_store

_STORE = "HOLDFAST_TEST_STORE"
"""A directory to use and keep, for whoever runs system tests often; by default one that is removed after the run."""
_MINUTES = 60.0


def pytest_configure(config: pytest.Config) -> None:
    if _STORE not in os.environ:  # workers find what their controller set
        directory = tempfile.mkdtemp(
            prefix="holdfast-tests-", dir="/var/tmp"
        )  # where unpacked trees have room
        os.environ[_STORE] = directory
        config.add_cleanup(lambda: shutil.rmtree(directory))
    if "not system" in str(config.getoption("markexpr")):
        _spare_the_disk()


def _spare_the_disk() -> None:
    """The fast suite cuts no power, and would spend a third of its time waiting for disks."""

    def check(descriptor: int) -> None:
        os.fstat(descriptor)

    os.fsync = check  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]


@pytest.fixture(scope="session")
def shared_store() -> Generator[Store]:
    """The run's common store: read it, add to it, never collect or damage it."""
    store = open_store(Path(os.environ[_STORE]))
    yield store
    store.close()


@pytest.fixture(scope="session")
def package_set(shared_store: Store) -> Callable[..., PackageSet]:
    """``package_set("trixie", "nginx", ...)``: the locked packages of a minimal system and more; resolved once a run."""

    def resolve(release: str, *install: str) -> PackageSet:
        distribution = Distribution("debian", release, "amd64")
        wanted = Packages(install=tuple(sorted(install)))
        name = "-".join(("packages", release, *sorted(install)))
        kept = shared_store.root / f"{name}.json"
        with file_lock(kept.with_suffix(".lock"), wait_seconds=10 * _MINUTES, purpose=name):
            known = read_lock(kept).sets.values()
            if known:
                return next(iter(known))
            made = family(distribution).resolve(shared_store, distribution, wanted)
            write_lock(kept, Lock().with_set(made))
            return made

    return resolve


@pytest.fixture(scope="session")
def bootstrapped(shared_store: Store, package_set: Callable[..., PackageSet]) -> Callable[..., Bootstrapped]:
    """``bootstrapped("trixie", "nginx", ...)``: the tree of :func:`package_set`, made once a run; for reading only."""

    def bootstrap(release: str, *install: str) -> Bootstrapped:
        wanted = package_set(release, *install)
        lock = shared_store.root / f"bootstrap-{wanted.digest[7:23]}.lock"
        with file_lock(lock, wait_seconds=10 * _MINUTES, purpose=f"the bootstrap of {release}"):
            return family(wanted.distribution).bootstrap(shared_store, wanted)

    return bootstrap
