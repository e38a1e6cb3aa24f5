from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host import operations
from holdfast.host.files import rooted
from holdfast.host.files.content import remove_directory
from holdfast.host.files.nodes import Absent, File, Folder, Special, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.live import open_live
from holdfast.manifest.model import TextFile, User
from tests.host.roots import a_manifest, blobs_of, make_root, run, snapshot


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "victim").write_text("safe")
    return directory


def test_links_resolve_inside(tmp_path: Path, outside: Path) -> None:
    root = make_root(tmp_path / "root", {"data/real/file": "x"})
    (root / "abs").symlink_to("/data")
    (root / "up").symlink_to("../../../../data/real")
    (root / "escape").symlink_to(outside)
    (root / "data/rel").symlink_to("../abs/./real//")
    with RootDirectory(root) as directory:
        assert directory.locate("/abs/real/file").real == "/data/real/file"
        assert directory.locate("/up/file").real == "/data/real/file"
        assert directory.locate("/data/rel/file").real == "/data/real/file"
        assert isinstance(directory.locate("/data/rel").node, Symlink)
        assert isinstance(directory.locate("/data/rel", follow=True).node, Folder)
        assert directory.locate("/escape/victim").blocked
        assert directory.read("/escape/victim") is None
        assert directory.locate("/new/a/b").missing == ("/new", "/new/a")
        assert isinstance(
            directory.locate("/data/real/file", ignoring=frozenset({"/data/real"})).node, Absent
        )
        assert directory.locate("/").real == "/"
        with pytest.raises(HoldfastError, match="/abs is no directory any more"), directory.parent("/abs/x"):
            pass


@pytest.mark.parametrize("target", ["absolute", "climbing", "through proc"])
def test_hostile_links_never_lead_outside(tmp_path: Path, outside: Path, target: str) -> None:
    root = make_root(tmp_path / "root")
    targets = {
        "absolute": str(outside),
        "climbing": "../" * 20 + str(outside).lstrip("/"),
        "through proc": f"/proc/self/root{outside}",
    }
    (root / "srv").symlink_to(targets[target])
    (root / "etc/motd").symlink_to(f"{targets[target]}/victim")
    for name in ("passwd", "group", "shadow", "gshadow", "hosts", "hostname"):
        path = root / "etc" / name
        path.unlink(missing_ok=True)
        path.symlink_to(f"{targets[target]}/victim")
    before = snapshot(outside)
    with pytest.raises(HoldfastError, match="cannot be reached"):
        run(a_manifest(files={"/srv/x": TextFile("x")}), root)
    run(a_manifest(files={"/etc/motd": TextFile("x")}, users={"ann": User()}), root)
    assert snapshot(outside) == before
    assert (root / "etc/motd").read_text() == "x"
    assert "ann:x:1000" in (root / "etc/passwd").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make links for others")
def test_a_users_own_link_is_not_followed(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(users={"ann": User()}), root)
    (root / "home/ann/.ssh").symlink_to("/etc")
    os.lchown(root / "home/ann/.ssh", 1000, 1000)
    with pytest.raises(HoldfastError, match=r"home/ann/\.ssh is a link"):
        run(a_manifest(users={"ann": User(authorized_keys=("k",))}), root)
    assert not (root / "etc/authorized_keys").exists()


def test_names_that_are_not_utf8_do_not_disturb(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    (root / "etc/odd").symlink_to(os.fsdecode(b"\xff"))
    (root / "etc/skel" / os.fsdecode(b"n\xe9")).write_bytes(b"\xff")
    run(a_manifest(users={"ann": User()}), root)
    assert (root / "home/ann" / os.fsdecode(b"n\xe9")).read_bytes() == b"\xff"
    with pytest.raises(HoldfastError, match="not UTF-8 on this system: it is in the way"):
        run(a_manifest(files={"/etc/odd": TextFile("")}), root)


def test_scan_says_what_is_there(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    with RootDirectory(root) as directory:
        kinds = {name: type(node) for name, node in directory.scan("/").items()}
        assert kinds["lib"] is Symlink
        assert kinds["etc"] is Folder
        assert directory.scan("/lib").keys() == {"systemd"}
        assert directory.scan("/nothing") == {}
        assert isinstance(directory.locate("/bin/bash").node, File)


def test_files_of_any_size_keep_nobody_waiting(tmp_path: Path) -> None:
    root_path = make_root(tmp_path / "root")
    run(a_manifest(files={"/srv/x": TextFile("x"), "/srv/y": TextFile("y")}), root_path)
    os.truncate(root_path / "srv/x", 1 << 40)
    (root_path / "srv/y").write_text("z" * (1 << 20))
    with open_live(root_path, blobs=blobs_of()) as live:
        (x, y) = operations.status(live).drift
        assert isinstance(x.found, Special) and isinstance(y.found, File)
        assert live.root.read("/srv/x") is None and live.root.read("/srv/y", at_most=2) == b"zz"
        changes = {change.path: change for change in operations.plan_deactivate(live).files}
    assert "/srv/x" not in changes and changes["/srv/y"].hidden == "large"


def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    glance = rooted._glance

    def exchanging(directory: int, name: str) -> object:
        (tmp_path / "file").unlink()
        os.mkfifo(tmp_path / "file")
        return glance(directory, name)

    monkeypatch.setattr(rooted, "_glance", exchanging)
    with RootDirectory(tmp_path) as root:
        assert root.read("/file") is None


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.ismount("/proc"), reason="takes root and a mount point")
def test_what_somebody_has_mounted_on_a_directory_of_ours_stays_with_it() -> None:
    directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    remove_directory(directory, "proc")
    os.close(directory)
    assert os.path.ismount("/proc")
