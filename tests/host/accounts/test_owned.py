"""Accounts that go, with a real tree below them: what is found there, and what becomes of homes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import BinaryIO

import pytest

from holdfast.base.digests import Digest, digest_stream
from holdfast.base.errors import HoldfastError
from holdfast.host.accounts.owned import foreign_devices, read_owned
from holdfast.host.accounts.retiring import Owned
from holdfast.host.accounts.tables import Accounts
from holdfast.host.files import rooted
from holdfast.host.files.nodes import Folder
from holdfast.host.files.rooted import RootDirectory
from holdfast.manifest.model import Group, User
from tests.host.roots import a_manifest, make_root, run, snapshot

HOLDFAST = "/var/lib/holdfast"
ANN = User(authorized_keys=("ssh-ed25519 A",), linger=True)


def look(root: Path, uids: set[int], gids: set[int] | None = None, *, seconds: float = 20) -> Owned:
    accounts = Accounts.parse({"/etc/passwd": b"ann:x:1000:1000::/home/ann:/bin/bash\n"})
    with RootDirectory(root) as directory:
        return read_owned(
            directory,
            accounts,
            frozenset(uids),
            frozenset(gids or ()),
            managed={},
            skeleton={},
            seconds=seconds,
        )


def test_an_unused_account_leaves_no_trace(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(), root)
    before = snapshot(root, without=(HOLDFAST,))
    run(a_manifest(users={"ann": ANN}), root)
    assert (root / "home/ann/.config/app.conf").exists()
    run(a_manifest(), root)
    assert snapshot(root, without=(HOLDFAST,)) == before


@pytest.mark.parametrize(
    "path", ["home/ann/.bash_history", "home/ann/.profile", "srv/shared/data", "home/ann/.ssh/id"]
)
def test_an_account_whose_files_are_there_is_locked(tmp_path: Path, path: str) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(users={"ann": ANN}), root)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("mine")
    os.chown(root / path, 1000, 1000)
    run(a_manifest(), root)
    assert "ann:x:1000:1000::/home/ann:/usr/sbin/nologin" in (root / "etc/passwd").read_text()
    assert (root / path).read_text() == "mine"
    assert not (root / "home/ann/.ssh/authorized_keys").exists()
    assert (root / "home/ann").stat().st_uid == 1000


def test_an_account_that_is_locked_stays_when_another_one_goes(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(users={"ann": User(), "bob": User()}, groups={"team": Group()}), root)
    (root / "srv").mkdir()
    for number, gid in ((1001, 1001), (1002, 1002), (0, 1000)):  # ann, bob, team
        file = root / f"srv/{number}"
        file.write_text("x")
        os.chown(file, number, gid)
    run(a_manifest(users={"bob": User()}), root)
    run(a_manifest(), root)
    run(a_manifest(users={"eve": User()}), root)
    run(a_manifest(), root)  # only eve is looked for, who has nothing
    names = [line.split(":")[0] for line in (root / "etc/passwd").read_text().split("\n")]
    assert {"ann", "bob"} <= set(names) and "eve" not in names
    groups = [line.split(":")[0] for line in (root / "etc/group").read_text().split("\n")]
    assert {"ann", "bob", "team"} <= set(groups) and "eve" not in groups


def test_what_is_found(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/file").write_text("x")
    (root / "proc").mkdir()
    (root / "proc/file").write_text("x")
    os.chown(root / "a/b/file", 1001, 2001)
    os.chown(root / "proc/file", 1002, 0)
    (root / "link").symlink_to("a")
    os.lchown(root / "link", 1003, 0)
    found = look(root, {1001, 1002, 1003}, {2001, 2002})
    assert found == Owned(uids={1001: "/a/b/file", 1003: "/link"}, gids=frozenset({2001}))
    assert found.nothing_of_user(1002)
    assert not found.nothing_of_user(1001)
    assert found.nothing_of_group(2002)


def test_what_could_not_be_looked_at_may_be_owned(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    found = look(root, {1001}, seconds=-1)
    assert found.incomplete == "not everything could be looked at in the time that there is"
    assert not found.nothing_of_user(1001)
    deep = root
    for _ in range(210):
        deep = deep / "d"
        deep.mkdir()
    assert "200 directories deep" in look(root, {1001}).incomplete


def test_a_home_is_listed_when_it_holds_nothing(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "home/ann").mkdir(parents=True)
    os.chown(root / "home/ann", 1000, 1000)
    found = look(root, {1000})
    assert found.homes == {1000: {"/home/ann": Folder("0755", 1000, 1000)}}
    assert found.nothing_of_user(1000)


def test_what_sudo_notes_does_not_count(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for path in ("run/sudo/ts", "var/lib/sudo/lectured"):
        (root / path).mkdir(parents=True)
        (root / path / "1000").write_text("")
        os.chown(root / path / "1000", 1000, 1000)
    assert look(root, {1000}, {1000}) == Owned()


def test_what_logind_takes_away_by_itself_does_not_count(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "run/user/1000/systemd").mkdir(parents=True)
    for path in ("run/user/1000", "run/user/1000/systemd"):
        os.chown(root / path, 1000, 1000)
    assert look(root, {1000}, {1000}) == Owned()


def test_processes_count(tmp_path: Path) -> None:
    uid = 54321 + os.getpid() % 1000
    with subprocess.Popen(["sleep", "60"], user=uid) as process:
        try:
            accounts = Accounts.parse({})
            with RootDirectory(Path("/")) as directory:
                found = read_owned(
                    directory, accounts, frozenset({uid}), frozenset(), managed={}, skeleton={}
                )
        finally:
            process.kill()
    assert found.processes == {uid: ("sleep",)}
    assert found.uids == {uid: "a process, sleep,"}
    (tmp_path / "empty").mkdir()
    assert look(tmp_path / "empty", {uid}) == Owned()


def test_nobody_is_locked_out(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    admin = User(groups=("sudo",), authorized_keys=("ssh-ed25519 A",))
    run(a_manifest(users={"ann": admin}, target="ann@box"), root)
    before = snapshot(root)
    for users in ({}, {"ann": User(authorized_keys=("k",))}, {"ann": User(groups=("sudo",))}):
        with pytest.raises(HoldfastError) as caught:
            run(a_manifest(users=users), root)
        assert "after this change nobody could log in and become root any more" in str(caught.value)
        assert "until now these can: ann" in str(caught.value)
    with pytest.raises(
        HoldfastError, match="user 'ann', from which this system is deployed, could not log in"
    ):
        run(a_manifest(users={"bob": admin}, target="ann@box"), root)
    assert snapshot(root) == before
    run(a_manifest(users={"bob": admin}, target="bob@box"), root)


@pytest.mark.parametrize("name", [".profile", "disk"])
def test_files_of_any_size_keep_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def reading(stream: BinaryIO) -> Digest:
        assert os.fstat(stream.fileno()).st_size < 1 << 20, "it is read"
        return digest_stream(stream)

    monkeypatch.setattr(rooted, "digest_stream", reading)
    root = make_root(tmp_path / "root")
    run(a_manifest(users={"ann": ANN}), root)
    with (root / "home/ann" / name).open("ab") as file:
        file.truncate(1 << 21)
    os.chown(root / "home/ann" / name, 1000, 1000)
    run(a_manifest(), root)
    assert "ann:x:1000:1000::/home/ann:/usr/sbin/nologin" in (root / "etc/passwd").read_text()


def test_mounts_whose_names_have_line_ends_in_them_hide_nothing(tmp_path: Path) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_bytes(
        b"25 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        b"34 25 0:54 / /home/ann/a\rb\xe2\x80\xa8c rw - fuse.sshfs \r rw\n"
    )
    assert foreign_devices(mountinfo) == {os.makedev(0, 54)}
