"""One machine of each release and worker for all scenarios: each gives it back as it found it, which is a test as well."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.machine import Settings, boot_layers
from holdfast.store import Store
from tests.scenarios.host import NAME, RELEASES, Host


class Hosts:
    """The machines that run."""

    def __init__(self, root: Callable[[str], Path], store: Store) -> None:
        self._root = root
        self._store = store
        self._booted: dict[str, tuple[Host, ExitStack]] = {}

    def boot(self, release: str, stack: ExitStack) -> Host:
        machine = stack.enter_context(boot_layers((self._root(release),), settings=Settings(name=NAME)))
        host = Host(machine, release, self._store)
        host.install_engine()
        return host

    def shared(self, release: str) -> Host:
        if release not in self._booted:
            with ExitStack() as stack:
                host = self.boot(release, stack)
                self._booted[release] = (host, stack.pop_all())
        return self._booted[release][0]

    def give_up(self, release: str) -> None:
        """Whatever comes next gets a new one."""
        if release in self._booted:
            self._booted.pop(release)[1].close()


@pytest.fixture(scope="session")
def hosts(machine_root: Callable[[str], Path], shared_store: Store) -> Generator[Hosts]:
    made = Hosts(machine_root, shared_store)
    yield made
    for release in RELEASES:
        made.give_up(release)


@pytest.fixture(params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def host(release: str, hosts: Hosts) -> Generator[Host]:
    """A machine of each release, shared with other scenarios: whatever a scenario does to it by hand it undoes by hand; the
    rest is what `deactivate` has to undo."""
    shared = hosts.shared(release)
    whole = shared.given_back = False
    try:
        yield shared
        shared.deactivate()
        left = shared.differences()
        assert not left, "\n".join([*left, shared.said_last])
        whole = True
    finally:
        if not whole:
            hosts.give_up(release)


@pytest.fixture
def own_host(release: str, hosts: Hosts) -> Generator[Host]:
    """A machine of the scenario's own, to break or to reboot. Nothing is checked in the end."""
    with ExitStack() as stack:
        yield hosts.boot(release, stack)
