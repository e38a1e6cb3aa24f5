from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.sandbox import Root, Scratch, overlay
from holdfast.sandbox.mounts import make_point


def test_a_mount_point_never_leaves_the_root(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "absolute").symlink_to(outside)
    (root / "climbing").symlink_to("../../../../../outside")
    for name in ("absolute", "climbing"):
        point = make_point(root, f"/{name}/inner", directory=True)
        assert point.is_relative_to(root) and point.is_dir()
    assert list(outside.iterdir()) == []


def test_a_mount_point_follows_links_inside(tmp_path: Path) -> None:
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("/usr/lib")
    assert make_point(tmp_path, "/lib/x", directory=False) == tmp_path / "usr/lib/x"
    assert (tmp_path / "usr/lib/x").is_file()


def test_a_loop_of_links_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        make_point(tmp_path, "/a/x", directory=True)


@pytest.mark.parametrize("path", ["relative", "/a/../b"])
def test_odd_mount_points_are_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(HoldfastError, match="no absolute path"):
        make_point(tmp_path, path, directory=True)


@pytest.mark.system
@pytest.mark.parametrize("count", [2, 200, 500])
def test_many_layers_stack(tmp_path: Path, count: int) -> None:
    layers: list[Path] = []
    for number in range(count):
        layer = tmp_path / f"a rather, long: name with \\ in it {number:03}"
        layer.mkdir()
        (layer / f"file{number}").touch()
        (layer / "top").write_text(str(number))
        layers.append(layer)
    with overlay(Root(tuple(layers), Scratch())) as merged:
        assert len(list(merged.glob("file*"))) == count
        assert (merged / "top").read_text() == str(count - 1)


@pytest.mark.system
def test_too_many_and_missing_layers_are_told(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match="501 layers"), overlay(Root((tmp_path,) * 501)):
        pass
    with pytest.raises(HoldfastError, match="gone is not there"), overlay(Root((tmp_path / "gone",))):
        pass


@pytest.mark.system
def test_changes_land_in_the_upper_directory_as_a_layer(tmp_path: Path) -> None:
    low, upper = tmp_path / "low", tmp_path / "upper"
    (low / "directory").mkdir(parents=True)
    (low / "directory/file").write_text("old")
    (low / "gone").touch()
    for _ in range(2):  # a volatile upper layer can be mounted again
        with overlay(Root((low,), upper)) as merged:
            (merged / "gone").unlink(missing_ok=True)
            (merged / "directory/file").write_text("new")
    assert (upper / "directory/file").read_text() == "new"
    assert os.lstat(upper / "gone").st_rdev == 0
    assert (low / "directory/file").read_text() == "old"


@pytest.mark.system
@pytest.mark.parametrize("count", [1, 2])
def test_without_an_upper_layer_a_root_is_read_only(tmp_path: Path, count: int) -> None:
    layers = tuple(tmp_path / str(number) for number in range(count))
    for layer in layers:
        layer.mkdir()
    with overlay(Root(layers)) as merged, pytest.raises(OSError, match="Read-only"):
        (merged / "file").touch()


@pytest.mark.system
def test_a_root_without_layers_is_the_directory_itself(tmp_path: Path) -> None:
    with overlay(Root((), tmp_path)) as merged:
        (merged / "file").touch()
    assert (tmp_path / "file").exists()
