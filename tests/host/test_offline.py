from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.host.files.nodes import Absent, File
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.planning.facts import read_recorded_state
from holdfast.host.state import read_state
from holdfast.manifest.document import read_manifest
from holdfast.manifest.model import BlobFile, Directory, Entry, Link, TextFile, User
from tests.host.roots import a_manifest, make_root, run, snapshot

ours = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def test_entries_of_every_kind(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    blob = b"\0binary\xff"
    files: dict[str, Entry] = {
        "/etc/motd": TextFile("Held fast.\n"),
        "/srv/deep/er/tool": BlobFile(digest_bytes(blob), mode="4755"),
        "/srv/shared": Directory("2775"),
        "/srv/dangling": Link("/nowhere/at all"),
        "/srv/odd \N{SNOWMAN} name\\": TextFile(""),
    }
    run(a_manifest(files=files), root, contents=(blob,))
    assert (root / "etc/motd").read_text() == "Held fast.\n"
    assert (root / "srv/deep/er/tool").read_bytes() == blob
    assert oct((root / "srv/deep/er/tool").stat().st_mode) == "0o104755"
    assert oct((root / "srv/shared").stat().st_mode) == "0o42775"
    assert oct((root / "srv/deep").stat().st_mode) == "0o40755"
    assert (root / "srv/dangling").readlink() == Path("/nowhere/at all")
    assert (root / "srv/odd \N{SNOWMAN} name\\").read_text() == ""


@ours
def test_owner_by_name_may_be_an_account_that_is_made_now(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    files: dict[str, Entry] = {
        "/srv/a": TextFile("", user="ann", group="ann", mode="4711"),
        "/srv/b": Directory("0750", "4242", "sudo"),
    }
    run(a_manifest(files=files, users={"ann": User(uid=1234)}), root)
    assert ((root / "srv/a").stat().st_uid, (root / "srv/a").stat().st_gid) == (1234, 1234)
    assert oct((root / "srv/a").stat().st_mode) == "0o104711"
    assert ((root / "srv/b").stat().st_uid, (root / "srv/b").stat().st_gid) == (4242, 27)


def test_second_activation_does_nothing(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    manifest = a_manifest(
        files={"/etc/motd": TextFile("x"), "/lib/y/z": TextFile("y")},
        users={"ann": User(authorized_keys=("k",))},
    )
    assert run(manifest, root).plan.actions
    before = snapshot(root)
    assert run(manifest, root).plan.actions == ()
    assert snapshot(root) == before


def test_same_input_same_tree(tmp_path: Path) -> None:
    manifest = a_manifest(files={"/etc/motd": TextFile("x")}, users={"ann": User(), "bob": User(system=True)})
    trees = []
    for name in ("one", "two"):
        root = make_root(tmp_path / name)
        run(manifest, root)
        trees.append(snapshot(root))
    assert trees[0] == trees[1]


def test_generation_is_recorded(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"etc/motd": "original"})
    (root / "etc/motd").chmod(0o600)
    manifest = a_manifest(files={"/etc/motd": TextFile("ours")})
    run(manifest, root)
    home = root / "var/lib/holdfast/host"
    assert (home / "current").readlink() == Path("generations/1")
    assert read_manifest((home / "current/manifest.json").read_bytes()) == manifest
    state = read_state((home / "state.json").read_bytes())
    assert state.generation == 1
    assert state.paths["/etc/motd"].before == File(
        digest_bytes(b"original"), "0600", os.getuid(), os.getgid()
    )
    assert state.paths["/etc/hostname"].before == Absent()
    assert (home / "kept" / digest_bytes(b"original")[7:]).read_bytes() == b"original"
    for secret in (home / "state.json", home / "generations/1/manifest.json"):
        assert secret.stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_what_was_there_comes_back(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"etc/motd": "original"})
    (root / "etc/link").symlink_to("motd")
    untouched = snapshot(root)
    entries: dict[str, Entry] = {
        "/etc/motd": TextFile("ours"),
        "/etc/link": TextFile("ours"),
        "/opt/new/file": TextFile("n"),
        "/home": Directory("0700"),
    }
    run(a_manifest(files=entries), root)
    run(a_manifest(), root)
    identity = (
        "/etc/hostname",
        "/etc/hosts",
        "/etc/locale.conf",
        "/etc/localtime",
        "/etc/default",
        "/var/lib/holdfast",
    )
    assert snapshot(root, without=identity) == untouched
    state = read_state((root / "var/lib/holdfast/host/state.json").read_bytes())
    assert state.generation == 2
    assert "/opt/new" not in state.parents


def test_a_file_becomes_a_directory_and_back(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(files={"/srv/x": TextFile("file")}), root)
    run(a_manifest(files={"/srv/x/y/z": TextFile("inner")}), root)
    assert (root / "srv/x/y/z").read_text() == "inner"
    run(a_manifest(files={"/srv/x": Link("elsewhere")}), root)
    assert (root / "srv/x").is_symlink()
    run(a_manifest(files={"/srv/x": Directory("0711"), "/srv/x/y": TextFile("again")}), root)
    assert (root / "srv/x/y").read_text() == "again"
    run(a_manifest(), root)
    assert not (root / "srv").exists()


def test_somebody_elses_file_keeps_our_directory(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(files={"/srv/x/ours": TextFile("")}), root)
    (root / "srv/x/theirs").write_text("precious")
    run(a_manifest(), root)
    assert snapshot(root / "srv").keys() == {"/x", "/x/theirs"}


def test_usr_merge_is_one_place(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(files={"/lib/sysctl.d/x.conf": TextFile("a")}), root)
    assert (root / "usr/lib/sysctl.d/x.conf").read_text() == "a"
    assert (root / "lib").is_symlink()
    run(a_manifest(files={"/usr/lib/sysctl.d/x.conf": TextFile("a")}), root)
    assert (root / "usr/lib/sysctl.d/x.conf").read_text() == "a"
    twice: dict[str, Entry] = {"/lib/a": TextFile("a"), "/usr/lib/a": TextFile("a")}
    with pytest.raises(HoldfastError, match="are the same place, /usr/lib/a"):
        run(a_manifest(files=twice), root)


@pytest.mark.parametrize(
    ("path", "entry", "message"),
    [
        ("/usr/bin", TextFile(""), "/usr/bin is a directory on this system: it is in the way of a file"),
        ("/usr/bin", Link("x"), "/usr/bin is a directory on this system: it is in the way of a link to x"),
        ("/etc/passwd.d/x", TextFile("", user="nobod"), "no such user; did you mean 'nobody'"),
        ("/etc/x", TextFile("", group="sud"), "no such group; did you mean 'sudo'"),
        (
            "/usr/bin/bash",
            Directory(),
            "/usr/bin/bash is a file on this system: it is in the way of a directory",
        ),
        ("/lib", Directory(), "/lib is a link to usr/lib on this system"),
        ("/usr/bin/bash/x", TextFile(""), "/usr/bin/bash/x cannot be reached: /usr/bin/bash is a file"),
        ("/dangling/x", TextFile(""), "the link /dangling leads to /nowhere, which is not there"),
        ("/round/x", TextFile(""), "circle of links"),
        ("/fifo", TextFile(""), "/fifo is a named pipe on this system"),
        ("/etc/../x", TextFile(""), "no absolute, normalised path"),
        ("relative", TextFile(""), "no absolute, normalised path"),
        ("/proc/sys/x", TextFile(""), "belongs to the kernel"),
        ("/var/lib/holdfast/host/state.json", TextFile(""), "Holdfast keeps its own state"),
    ],
)
def test_what_is_in_the_way_is_named_and_nothing_changes(
    tmp_path: Path, path: str, entry: Entry, message: str
) -> None:
    root = make_root(tmp_path / "root")
    (root / "dangling").symlink_to("/nowhere")
    (root / "round").symlink_to("round")
    os.mkfifo(root / "fifo")
    before = snapshot(root)
    with pytest.raises(HoldfastError) as caught:
        run(a_manifest(files={path: entry, "/etc/other": TextFile("x")}), root)
    assert message in str(caught.value)
    assert snapshot(root) == before


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    with pytest.raises(HoldfastError) as caught:
        run(a_manifest(files={"/usr": TextFile(""), "/etc": Link("x")}, users={"a:b": User()}), root)
    assert "/usr is a directory" in caught.value.details
    assert "/etc is a directory" in caught.value.details
    assert "'a:b' is no user name" in caught.value.details


def test_file_beneath_a_declared_link(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    entries: dict[str, Entry] = {"/srv/a": Link("/etc"), "/srv/a/b": TextFile("")}
    with pytest.raises(
        HoldfastError, match="/srv/a/b lies beneath /srv/a, which is declared as a link to /etc"
    ):
        run(a_manifest(files=entries), root)


def test_a_damaged_blob_is_not_installed(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    entry = BlobFile(digest_bytes(b"good"))
    with pytest.raises(HoldfastError, match="damaged"):
        from holdfast.host.offline import activate

        activate(
            a_manifest(files={"/etc/x": entry}),
            root,
            blobs=lambda _: (tmp_path / "root/etc/group").open("rb"),
            epoch=1,
        )
    assert not (root / "etc/x").exists()
    assert not list((root / "etc").glob(".holdfast-*"))


def test_newer_state_is_refused(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(), root)
    state = root / "var/lib/holdfast/host/state.json"
    state.write_text(state.read_text().replace('"version":1', '"version":2'))
    with (
        pytest.raises(HoldfastError, match="version 2; this holdfast reads up to 1"),
        RootDirectory(root) as directory,
    ):
        read_recorded_state(directory)
    state.write_text("{")
    with pytest.raises(HoldfastError, match="not valid JSON"):
        run(a_manifest(), root)


def test_missing_root_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match="cannot open the root"):
        run(a_manifest(), tmp_path / "nothing")


@ours
def test_directories_made_for_files_in_a_home_are_the_persons(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    entries: dict[str, Entry] = {
        "/home/ann/.config/app/conf": TextFile("x", user="ann"),
        "/home/ann/.local/bin/tool": Link("/usr/bin/true"),
        "/home/ann-x/a/b": TextFile("x"),
    }
    run(a_manifest(users={"ann": User(uid=1234)}, files=entries), root)
    made = ("home/ann/.config/app", "home/ann/.local", "home/ann/.local/bin", "home/ann-x/a")
    assert [(root / path).stat().st_uid for path in made] == [1234, 1234, 1234, 0]
    run(a_manifest(), root)
    assert list((root / "home").iterdir()) == []
