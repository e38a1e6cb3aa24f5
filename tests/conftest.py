"""One store for the whole run, so that every release is fetched and bootstrapped once, however many workers there are."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from holdfast.base.locks import file_lock
from holdfast.distro.family import Bootstrapped, family
from holdfast.distro.lockfile import Lock, PackageSet, read_lock, write_lock
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import Store, open_store
from tests.examples import FEW

_STORE = "HOLDFAST_TEST_STORE"
"""A directory to use and keep, for whoever runs system tests often; by default one that is removed after the run."""
_MINUTES = 60.0
_MEMORY = "/dev/shm"
_MEMORY_BYTES = 1 << 30
_OBJECTS_BETWEEN_COLLECTIONS = 100_000
MACHINE = (
    "adduser",
    "age",
    "cron",
    "dbus",
    "libcap2-bin",
    "libpam-systemd",
    "nginx-light",
    "openssh-client",
    "openssh-server",
    "python3",
    "sudo",
    "tzdata",
)
"""What the machines of most tests have: one tree for each release costs less than one for each test's taste."""


def pytest_configure(config: pytest.Config) -> None:
    # nohup(1) and a shell's "&" have us ignore these, and so all we start.
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if _STORE not in os.environ:  # workers find what their controller set
        # In /var/tmp, where unpacked trees have room.
        directory = tempfile.mkdtemp(prefix="holdfast-tests-", dir="/var/tmp")
        os.environ[_STORE] = directory
        config.add_cleanup(lambda: shutil.rmtree(directory))
    if "not slow" in str(config.getoption("markexpr")):
        os.environ[FEW] = "1"
    if "not system" in str(config.getoption("markexpr")):
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        _spare_the_disk(config)


def pytest_collection_finish() -> None:
    gc.freeze()  # thousands of tests stay to the end: nobody need look for garbage among them


def _spare_the_disk(config: pytest.Config) -> None:
    """The fast suite cuts no power, and would spend a third of its time waiting for disks.

    It works in memory where there is room for that, and leaves nothing there. With TMPDIR set, that is where it works and what it leaves.
    """
    if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK):
        free = os.statvfs(_MEMORY)
        if free.f_bavail * free.f_frsize > _MEMORY_BYTES:
            directory = tempfile.mkdtemp(prefix="holdfast-tests-", dir=_MEMORY)
            os.environ["TMPDIR"] = tempfile.tempdir = directory
            config.add_cleanup(lambda: shutil.rmtree(directory))

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


@pytest.fixture(scope="session")
def machine_root(bootstrapped: Callable[..., Bootstrapped]) -> Callable[[str], Path]:
    """``machine_root("trixie")``: the root of a machine that :data:`MACHINE` is installed on; for reading only."""
    return lambda release: bootstrapped(release, *MACHINE).tree
