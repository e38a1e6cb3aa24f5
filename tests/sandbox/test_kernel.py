from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.sandbox import kernel


@pytest.mark.parametrize("link", ["/data", "../../../../data"])
def test_links_lead_nowhere_out_of_a_root(tmp_path: Path, link: str) -> None:
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    (root / "data/file").write_text("inside")
    (root / "link").symlink_to(link)
    with os.fdopen(kernel.open_in_root(root, "/link/file", os.O_RDONLY)) as stream:
        assert stream.read() == "inside"


def test_a_link_to_what_is_only_outside_is_missing(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("outside")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(outside)
    with pytest.raises(FileNotFoundError, match="/link"):
        kernel.open_in_root(tmp_path / "root", "/link", os.O_RDONLY)
