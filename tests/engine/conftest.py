"""The engine as a file, packed once for all tests of a worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.engine.about import About
from holdfast.engine.archive import collect, contents_digest, pack


@pytest.fixture(scope="session")
def engine_contents() -> dict[str, bytes]:
    return collect()


@pytest.fixture(scope="session")
def engine_file(engine_contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``engine.pyz`` of this checkout."""
    path = tmp_path_factory.mktemp("engine") / "engine.pyz"
    path.write_bytes(pack(engine_contents, About(contents_digest(engine_contents, "0.0.test"), "0.0.test")))
    return path
