from __future__ import annotations

import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.distro.debian.archives import Repository, Server, Signer, serve


@pytest.fixture(scope="session")
def signer() -> Generator[Signer]:
    # Not below tmp_path: an agent's socket must have a short path (unix(7)).
    with tempfile.TemporaryDirectory(prefix="hf-gpg-", dir="/tmp") as place:
        made = Signer.make(Path(place) / "home")
        yield made
        made.close()


@pytest.fixture
def repository(tmp_path: Path, signer: Signer) -> Repository:
    return Repository(tmp_path / "archive", signer)


@pytest.fixture
def server(repository: Repository) -> Generator[Server]:
    repository.root.mkdir()
    with serve(repository.root) as state:
        yield state
