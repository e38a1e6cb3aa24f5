"""The upper directory of a real overlay, moved into its lower one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from holdfast.distro.debian.merge import merge_upper
from holdfast.sandbox import Root, overlay

pytestmark = pytest.mark.system


def listing(root: Path) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for path in sorted(root.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path.relative_to(root))] = (path.lstat().st_mode, content)
    return found


def test_merging_gives_what_the_overlay_showed(tmp_path: Path) -> None:
    lower, work = tmp_path / "lower", tmp_path / "work"
    for name in ("stay", "gone", "replaced", "emptied/inner"):
        (lower / name).mkdir(parents=True)
        (lower / name / "file").write_text(name)
    (lower / "linked").symlink_to("stay")
    (lower / "becomes-directory").write_text("x")
    shared = tmp_path / "shared"
    shared.write_text("cached")
    os.link(shared, lower / "shared")
    with overlay(Root((lower,), upper=work / "upper")) as merged:
        shutil.rmtree(merged / "gone")
        shutil.rmtree(merged / "replaced")
        (merged / "replaced").mkdir()
        (merged / "replaced/new").write_text("new")
        shutil.rmtree(merged / "emptied")
        (merged / "emptied").write_text("a file now")
        (merged / "becomes-directory").unlink()
        (merged / "becomes-directory").mkdir(mode=0o700)
        (merged / "linked").unlink()
        (merged / "linked").write_text("a file now")
        (merged / "shared").chmod(0o4755)
        with (merged / "shared").open("a") as stream:
            stream.write("!")
        (merged / "stay/file").chmod(0o600)
        (merged / "added").symlink_to("nowhere")
        os.mkfifo(merged / "pipe")
        os.setxattr(merged / "stay/file", "user.note", b"kept")
        expected = listing(merged)
    merge_upper(work / "upper", lower)
    assert listing(lower) == expected
    assert shared.read_text() == "cached" and shared.stat().st_mode & 0o7777 != 0o4755
    assert os.listxattr(lower / "stay/file") == ["user.note"]
    assert not any(
        name.startswith("trusted.overlay")
        for path in lower.rglob("*")
        for name in os.listxattr(path, follow_symlinks=False)
    )
