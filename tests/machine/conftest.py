"""One booted machine for all tests of a worker; those that stop or break a machine boot their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from holdfast.machine import Machine, Settings, boot_layers


@pytest.fixture(scope="session")
def debian_root(machine_root: Callable[[str], Path]) -> Path:
    """A Debian system with a web server, made by our own bootstrap; read only."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return machine_root("trixie")


@pytest.fixture(scope="session")
def machine(debian_root: Path) -> Generator[Machine]:
    with boot_layers((debian_root,), settings=Settings(name="shared")) as machine:
        yield machine
