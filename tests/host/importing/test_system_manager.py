"""Taking over from System Manager: nothing changes then, and everything comes back later."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.actions import Action
from holdfast.host.files.nodes import Absent, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.importing import system_manager
from holdfast.host.importing.system_manager import BACKUP, Imported, import_system_manager
from holdfast.host.live import Live
from holdfast.host.planning.facts import read_facts, read_recorded_state
from holdfast.host.planning.plan import make_plan
from holdfast.host.state import State, write_state
from holdfast.manifest.model import BlobFile, Identity, Link, Manifest, TextFile, User
from tests.host.importing.test_state_file import V0, V1
from tests.host.roots import EPOCH, PASSWD, a_manifest, blobs_of, make_root, run, snapshot

STATE = "var/lib/system-manager/state/system-manager-state.json"
UNIT = "/nix/store/aaa-unit-hello.service/hello.service"
THEIRS = {
    "fileTree": {
        "files": [
            "/etc/foo.conf",
            "/etc/copied",
            "/etc/binary",
            "/etc/secret",
            "/etc/systemd/system/hello.service",
            "/etc/systemd/system/system-manager.target.wants/hello.service",
            "/etc/systemd/system/multi-user.target.wants/hello.service",
            "/etc/gone",
        ],
        "backedUpFiles": ["/etc/nix.conf", "/etc/linked", "/etc/lost"],
    },
    "services": {
        "hello.service": {"storePath": UNIT, "masked": False},
        "apt-daily.timer": {"storePath": None, "masked": True},
    },
    "version": 1,
}
WITHOUT = ("/var/lib",)


@pytest.fixture(autouse=True)
def _spare_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power is cut here, and syncfs(2) waits for everybody's data."""

    def check(path: Path) -> None:
        assert path.is_dir()

    monkeypatch.setattr(system_manager, "sync_file_system", check)


def before(tmp_path: Path) -> Path:
    """A machine before System Manager came."""
    root = make_root(
        tmp_path / "root",
        {"etc/nix.conf": "mine = 1\n", "etc/hostname": "box\n", "etc/hosts": "127.0.0.1 localhost box\n"},
    )
    (root / "etc/nix.conf").chmod(0o600)
    (root / "etc/linked").symlink_to("nix.conf")
    (root / "etc/systemd/system/multi-user.target.wants").mkdir()
    (root / "etc/systemd/system/multi-user.target.wants/ssh.service").symlink_to(
        "/usr/lib/systemd/system/ssh.service"
    )
    return root


def managed(tmp_path: Path, state: object = THEIRS) -> Path:
    """The same machine with System Manager on it."""
    root = before(tmp_path)
    for name in ("nix.conf", "linked"):
        (root / "etc" / name).rename(root / f"etc/{name}{BACKUP}")
        (root / "etc" / name).symlink_to(f"/nix/store/x-etc/{name}")
    for name in ("foo.conf", "lost"):
        (root / "etc" / name).symlink_to(f"/nix/store/x-etc/{name}")
    (root / "etc/copied").write_text("copied\n")
    (root / "etc/binary").write_bytes(b"\xff\0")
    (root / "etc/secret").write_text("hush\n")
    (root / "etc/secret").chmod(0o600)
    units = root / "etc/systemd/system"
    (units / "hello.service").symlink_to(UNIT)
    for wants in ("system-manager.target.wants", "multi-user.target.wants"):
        (units / wants).mkdir(exist_ok=True)
        (units / wants / "hello.service").symlink_to("../hello.service")
    (units / "apt-daily.timer").symlink_to("/dev/null")
    (root / "etc/stray.system-manager-backup").write_text("not in the state\n")
    (root / STATE).parent.mkdir(parents=True)
    (root / STATE).write_text(json.dumps(state))
    return root


def take_over(root: Path) -> Imported:
    with RootDirectory(root) as directory:
        return import_system_manager(Live(directory, root, None, blobs_of()))


def recorded(root: Path) -> State:
    with RootDirectory(root) as directory:
        state = read_recorded_state(directory)
    assert state is not None
    return state


def equivalent(imported: Imported) -> Manifest:
    return a_manifest(files=imported.entries, identity=Identity("box", locale=None, timezone=None))


def changes(root: Path, manifest: Manifest) -> list[Action]:
    with RootDirectory(root) as directory:
        state = read_recorded_state(directory)
        facts = read_facts(directory, manifest, state, ids=Ids(), epoch=EPOCH)
        plan = make_plan(facts, state, manifest, ids=Ids(), epoch=EPOCH)
    return [action for action in plan.actions if not action.path.startswith("/var/lib/holdfast")]


def test_nothing_in_use_changes(tmp_path: Path) -> None:
    root = managed(tmp_path)
    old = snapshot(root, without=WITHOUT)
    imported = take_over(root)
    backups = {f"/etc/{name}{BACKUP}" for name in ("nix.conf", "linked")}
    assert snapshot(root, without=WITHOUT) == {
        path: seen for path, seen in old.items() if path not in backups
    }
    assert not (root / STATE).exists()
    assert json.loads((root / f"{STATE}.taken-over").read_text()) == THEIRS
    assert (root / "var/lib/holdfast/host/state.json").stat().st_mode & 0o777 == 0o600
    assert imported.generation == 1
    assert imported.services == ("hello.service",)
    assert imported.masked == ("apt-daily.timer",)
    assert imported.restored_later == ("/etc/linked", "/etc/nix.conf")
    assert imported.notes == (
        "/etc/gone is in System Manager's state, but not there any more",
        "/etc/lost stood in place of another file, but the backup of that is gone",
    )
    assert imported.entries["/etc/foo.conf"] == Link("/nix/store/x-etc/foo.conf")
    assert imported.entries["/etc/copied"] == TextFile("copied\n")
    assert isinstance(imported.entries["/etc/binary"], BlobFile)
    assert isinstance(imported.entries["/etc/secret"], BlobFile), "its content is not told"
    state = recorded(root)
    assert state.paths["/etc/systemd/system/apt-daily.timer"].before == Absent()
    assert state.paths["/etc/linked"].before == Symlink("nix.conf")
    assert state.parents == ("/etc/systemd/system/system-manager.target.wants",)


def test_an_equivalent_definition_changes_nothing(tmp_path: Path) -> None:
    root = managed(tmp_path)
    imported = take_over(root)
    manifest = equivalent(imported)
    assert changes(root, manifest) == []
    old = snapshot(root, without=WITHOUT)
    run(manifest, root)
    assert snapshot(root, without=WITHOUT) == old


def test_everything_comes_back(tmp_path: Path) -> None:
    pristine = snapshot(before(tmp_path / "a"), without=WITHOUT)
    root = managed(tmp_path / "b")
    run(equivalent(take_over(root)), root)
    (root / "etc/stray.system-manager-backup").unlink()
    run(a_manifest(identity=Identity("box", locale=None, timezone=None)), root)
    assert snapshot(root, without=WITHOUT) == pristine


def test_the_first_format(tmp_path: Path) -> None:
    root = before(tmp_path)
    (root / "etc/baz").mkdir()
    for name in ("foo.conf", "baz/bar.conf"):
        (root / "etc" / name).symlink_to(f"/nix/store/x/{name}")
    (root / "etc/nix").mkdir()
    (root / "etc/nix/nix.conf").symlink_to("/nix/store/x/nix.conf")
    (root / f"etc/nix/nix.conf{BACKUP}").write_text("mine\n")
    (root / STATE).parent.mkdir(parents=True)
    (root / STATE).write_text(json.dumps(V0))
    imported = take_over(root)
    assert sorted(imported.entries) == ["/etc/baz/bar.conf", "/etc/foo.conf", "/etc/nix/nix.conf"]
    assert imported.restored_later == ("/etc/nix/nix.conf",)
    assert imported.notes == ()


def test_it_joins_a_state_of_ours(tmp_path: Path) -> None:
    root = managed(tmp_path)
    manifest = a_manifest(
        files={"/etc/ours": TextFile("x")}, identity=Identity("box", locale=None, timezone=None)
    )
    run(manifest, root)
    old = recorded(root)
    imported = take_over(root)
    new = recorded(root)
    assert imported.generation == old.generation == new.generation
    assert new.manifest == old.manifest
    assert new.paths["/etc/ours"] == old.paths["/etc/ours"]
    assert "/etc/foo.conf" in new.paths
    assert changes(root, replace(manifest, files={**manifest.files, **imported.entries})) == []


def test_after_everything_was_given_back_it_is_a_new_generation(tmp_path: Path) -> None:
    root = managed(tmp_path)
    run(a_manifest(users={"ann": User()}, identity=Identity("box", locale=None, timezone=None)), root)
    path = root / "var/lib/holdfast/host/state.json"
    path.write_bytes(write_state(replace(recorded(root), active=False, paths={}, parents=())))
    assert take_over(root).generation == 2
    state = recorded(root)
    assert state.active
    assert state.users["ann"].uid == 1000, "ids are never forgotten"
    assert (root / "var/lib/holdfast/host/current").readlink() == Path("generations/2")


@pytest.mark.slow
@pytest.mark.parametrize("cut", range(1, 30))
def test_cut_off_anywhere_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """Whatever call changes the disk: dying before it leaves what the same command finishes."""
    root = managed(tmp_path / "cut")
    left = cut

    def count(name: str) -> None:
        real = getattr(os, name)

        def call(*args: object, **kwargs: object) -> object:
            nonlocal left
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("rename", "unlink", "mkdir", "symlink"):
        count(name)
    try:
        take_over(root)
    except KeyboardInterrupt:
        left = -1
        in_use = "/etc/nix.conf"
        assert (root / in_use.lstrip("/")).is_symlink()
        if (root / STATE).exists():
            take_over(root)
    monkeypatch.undo()
    other = managed(tmp_path / "whole")
    take_over(other)
    assert snapshot(root, without=WITHOUT) == snapshot(other, without=WITHOUT)
    assert recorded(root) == recorded(other)
    assert not (root / STATE).exists()


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (None, "it has no state file here"),
        (
            {"fileTree": {"files": [], "backedUpFiles": []}, "services": {}, "version": 0},
            "it was deactivated",
        ),
        ({**V1, "version": 7}, "its version is 7"),
    ],
)
def test_refused(tmp_path: Path, state: object, told: str) -> None:
    root = managed(tmp_path, state)
    if state is None:
        (root / STATE).unlink()
    old = snapshot(root)
    with pytest.raises(HoldfastError, match=told):
        take_over(root)
    assert snapshot(root) == old


def test_shells_that_go_with_it_are_named(tmp_path: Path) -> None:
    root = managed(tmp_path)
    (root / "etc/passwd").write_text(
        PASSWD.replace("/root:/bin/bash", "/root:/run/system-manager/sw/bin/bash")
    )
    (note,) = (note for note in take_over(root).notes if "shell" in note)
    assert note.startswith("the shell of user 'root' is /run/system-manager/sw/bin/bash")
