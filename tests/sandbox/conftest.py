"""A tiny root file system: the machine's /usr, seen through a few links."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.sandbox import Bind, Root, Sandbox, Scratch


@pytest.fixture
def base_layer(tmp_path: Path) -> Path:
    layer = tmp_path / "base"
    for directory in ("etc", "usr", "proc", "dev", "run", "tmp"):
        (layer / directory).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (layer / name).symlink_to(f"usr/{name}")
    (layer / "etc/hello").write_text("from the base\n")
    return layer


@pytest.fixture
def place(base_layer: Path) -> Sandbox:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    return Sandbox(Root((base_layer,), Scratch()), binds={"/usr": Bind(Path("/usr"))})
