"""The verbs, on roots that do not run: what each says and leaves."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.host import operations
from holdfast.host.change import Change, Wanted
from holdfast.host.files.nodes import File
from holdfast.host.live import Live, open_live
from holdfast.host.report import render_result
from holdfast.manifest.model import Identity, TextFile, User
from tests.host.crashing import HOME
from tests.host.roots import a_manifest, blobs_of, make_root, run, snapshot


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    root = make_root(tmp_path / "root", {"etc/motd": "original\n"})
    with open_live(root, blobs=blobs_of()) as opened:
        yield opened


def _motd(text: str, **parts: Any) -> Wanted:  # Any: the fields of Manifest, by name
    return Wanted(a_manifest(files={"/etc/motd": TextFile(text)}, **parts))


def test_a_plan_shows_differences_and_changes_nothing(live: Live) -> None:
    before = snapshot(live.path)
    change = operations.plan(live, _motd("ours\n", users={"ann": User()}))
    assert snapshot(live.path) == before
    files = {one.path: one for one in change.files}
    assert files["/etc/motd"].diff.splitlines()[-2:] == ["-original", "+ours"]
    assert files["/etc/shadow"].hidden == "secret"
    assert not files["/etc/shadow"].diff
    assert "ann" in files["/etc/passwd"].diff
    assert not any(path.startswith("/var/lib/holdfast") for path in files)
    assert decode_json(Change, canonical_json(change), what="change") == change


def test_no_generation_yet(live: Live) -> None:
    assert operations.status(live) == operations.Status(None)
    for verb in (operations.rollback, operations.adopt, operations.repair, operations.activate):
        with pytest.raises(
            HoldfastError, match=r"no generation yet|no generation on this machine yet|manages nothing"
        ):
            verb(live)


def test_what_is_given_back_is_given_back_once(live: Live) -> None:
    """A machine among many that is not managed any more, or never was, is no failure."""
    assert operations.plan_deactivate(live).empty
    assert operations.deactivate(live).change.empty
    operations.switch(live, _motd("one"))
    assert not operations.plan_deactivate(live).empty
    assert not operations.deactivate(live).change.empty
    again = operations.deactivate(live)
    assert again.change.empty
    assert render_result(again) == ["Holdfast manages nothing here: there is nothing to take back."]
    assert operations.status(live).generation is None


def test_generations_come_and_go(live: Live) -> None:
    for text in ("one", "two", "three", "four"):
        operations.switch(live, _motd(text))
    assert [one.number for one in operations.generations(live) if one.current] == [4]
    assert operations.rollback(live).change.generation == 3
    assert (live.path / "etc/motd").read_text() == "three"
    assert operations.rollback(live, 1).change.generation == 1
    assert operations.show_generation(live, 2).manifest == _motd("two").manifest
    with pytest.raises(HoldfastError, match="generation 1 is the current one"):
        operations.delete_generation(live, 1)
    with pytest.raises(HoldfastError, match="there is no generation 9") as caught:
        operations.rollback(live, 9)
    assert "1, 2, 3, 4" in caught.value.resolution
    assert operations.prunable_generations(live, 1) == operations.prune_generations(live, 1) == (2, 3)
    assert [one.number for one in operations.generations(live)] == [1, 4]
    assert all(0 <= time.time() - one.recorded < 600 for one in operations.generations(live))
    assert operations.switch(live, _motd("five")).change.generation == 5


def test_registered_is_not_activated(live: Live) -> None:
    operations.switch(live, _motd("one"))
    made = operations.register(live, _motd("two"))
    assert (made.number, made.current) == (2, False)
    assert operations.register(live, _motd("two")).number == 2
    assert (live.path / "etc/motd").read_text() == "one"
    assert operations.activate(live).change.generation == 2
    assert (live.path / "etc/motd").read_text() == "two"


def test_what_waits_for_the_boot(live: Live) -> None:
    operations.switch(live, _motd("one"))
    assert operations.boot(live, _motd("two")).pending
    assert operations.status(live).pending == 2
    with pytest.raises(HoldfastError, match="waits for the next boot"):
        operations.delete_generation(live, 2)
    operations.activate(live, 2)
    assert operations.status(live).pending is None


def test_adopted_stays_until_the_definition_changes(live: Live) -> None:
    operations.switch(live, _motd("one"))
    motd = live.path / "etc/motd"
    motd.write_text("by hand")
    assert operations.status(live).drift[0].what == "changed"
    operations.adopt(live, ["/etc/motd"])
    assert operations.status(live).adopted == ("/etc/motd",)
    assert not operations.status(live).drift
    assert operations.plan(live, _motd("one")).empty
    motd.unlink()
    operations.repair(live)
    assert motd.read_text() == "by hand"
    change = operations.switch(live, _motd("two")).change
    assert motd.read_text() == "two"
    assert [one.path for one in change.files] == ["/etc/motd"]
    operations.deactivate(live)
    assert motd.read_text() == "original\n"


def test_a_switch_says_what_it_overwrites(live: Live) -> None:
    operations.switch(live, _motd("one"))
    (live.path / "etc/motd").write_text("by hand")
    files = operations.plan(live, _motd("two")).files
    assert [(one.path, one.drifted) for one in files] == [("/etc/motd", True)]
    with pytest.raises(HoldfastError, match="not managed"):
        operations.repair(live, ["/etc/passwd"])


def test_repair_of_one_path_leaves_the_others(live: Live) -> None:
    operations.switch(live, Wanted(a_manifest(files={"/a": TextFile("a"), "/b": TextFile("b")})))
    for name in ("a", "b"):
        (live.path / name).chmod(0o600)
    assert {one.what for one in operations.status(live).drift} == {"metadata"}
    operations.repair(live, ["/a"])
    assert [one.path for one in operations.status(live).drift] == ["/b"]


def test_putting_right_what_is_current_leaves_what_waits_for_the_next_boot(live: Live) -> None:
    operations.switch(live, _motd("one"))
    operations.boot(live, _motd("two"))
    operations.repair(live)  # of nothing
    (live.path / "etc/motd").write_text("by hand")
    operations.repair(live)
    (live.path / "etc/motd").write_text("by hand")
    operations.adopt(live)
    assert operations.status(live).pending == 2


def test_names_that_are_not_utf8_are_as_good_as_others(live: Live) -> None:
    passwd, skeleton = live.path / "etc/passwd", os.fsencode(live.path / "etc/skel")
    passwd.write_bytes(passwd.read_bytes() + b"jue:x:1000:1000:J\xfcrgen:/root:/bin/bash\n")
    with open(skeleton + b"/\xff", "w"):  # noqa: PTH123 (no Path has such a name)
        pass
    before = snapshot(live.path, without=("/var/lib/holdfast",))
    wanted = Wanted(a_manifest(users={"jue": User(comment="J"), "ann": User()}))
    operations.switch(live, wanted)
    assert operations.plan(live, wanted).empty
    assert b"jue:x:1000:1000:J:" in passwd.read_bytes()
    assert os.path.exists(os.fsencode(live.path / "home/ann") + b"/\xff")  # noqa: PTH110
    operations.deactivate(live)
    assert snapshot(live.path, without=("/var/lib/holdfast",)) == before


def test_shared_files_that_are_links_stay_links(live: Live) -> None:
    (live.path / "data").mkdir()
    for name in ("passwd", "hosts"):
        (live.path / "etc" / name).touch()
        (live.path / "etc" / name).rename(live.path / "data" / name)
        (live.path / "etc" / name).symlink_to(f"../data/{name}")
    before = snapshot(live.path, without=("/var/lib/holdfast",))
    operations.switch(live, Wanted(a_manifest(users={"ann": User()})))
    assert (
        "\nann:x:" in (live.path / "data/passwd").read_text()
        and "box" in (live.path / "data/hosts").read_text()
    )
    operations.deactivate(live)
    assert snapshot(live.path, without=("/var/lib/holdfast",)) == before


@pytest.mark.parametrize("damage", ["gone", "{}", "{", "origin"])
def test_a_damaged_generation_is_not_the_end_of_all_changes(live: Live, damage: str) -> None:
    operations.switch(live, _motd("one"))
    generation = live.path / HOME / "generations/1"
    if damage == "gone":
        (generation / "manifest.json").unlink()
    else:
        (generation / ("wanted.json" if damage == "origin" else "manifest.json")).write_text(damage[:2])
        with pytest.raises(HoldfastError, match="generation 1 is damaged") as caught:
            operations.show_generation(live, 1)
        assert "generations delete 1" in caught.value.resolution
    assert operations.status(live).generation == 1 and operations.generations(live) == ()
    assert any("is not known: " in told for told in operations.plan(live, _motd("two")).warnings)
    operations.switch(live, _motd("two"))
    if damage != "gone":
        operations.delete_generation(live, 1)
    operations.deactivate(live)


def test_kept_content_that_is_damaged_is_named(live: Live) -> None:
    (live.path / "etc/motd").write_text("of somebody else")
    operations.switch(live, _motd("one"))
    (kept,) = (live.path / HOME / "kept").iterdir()
    kept.write_text("x")
    with pytest.raises(HoldfastError, match=f"replaced is damaged: /{HOME}/kept/{kept.name}") as caught:
        operations.deactivate(live)
    assert "backup" in caught.value.resolution and (live.path / "etc/motd").read_text() == "one"
    kept.write_text("of somebody else")
    operations.deactivate(live)
    assert (live.path / "etc/motd").read_text() == "of somebody else"


@pytest.mark.parametrize("used", [False, True])
def test_the_home_of_an_account_that_was_there_before_goes_unless_it_is_used(live: Live, used: bool) -> None:
    passwd = live.path / "etc/passwd"
    passwd.write_text(f"{passwd.read_text()}bob:x:1000:1000::/home/bob:/bin/bash\n")
    before = snapshot(live.path, without=("/var/lib/holdfast",))
    operations.switch(live, Wanted(a_manifest(users={"bob": User()})))
    operations.switch(live, Wanted(a_manifest(users={"bob": User(comment="B")})))
    if used:
        (live.path / "home/bob/mine").write_text("")
    operations.deactivate(live)
    assert (live.path / "home/bob/.profile").exists() == used
    assert used or snapshot(live.path, without=("/var/lib/holdfast",)) == before


def test_ids_are_not_used_again_after_everything_was_given_back(live: Live) -> None:
    operations.switch(live, Wanted(a_manifest(users={"ann": User()})))
    operations.deactivate(live)
    operations.switch(live, Wanted(a_manifest(users={"bob": User()})))
    assert "bob:x:1001:" in (live.path / "etc/passwd").read_text()


def test_a_lower_state_version_is_refused(live: Live) -> None:
    operations.switch(live, _motd("one", state_version=2))
    with pytest.raises(HoldfastError, match="state_version 2 on this machine"):
        operations.switch(live, _motd("two", state_version=1))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can set these attributes")
def test_attributes_of_what_was_there_come_back(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"etc/motd": "original\n"})
    motd = root / "etc/motd"
    try:
        os.setxattr(motd, "user.note", b"theirs")
    except OSError:
        pytest.skip("no extended attributes here")
    with open_live(root, blobs=blobs_of()) as live:
        operations.switch(live, _motd("one"))
        assert "user.note" not in os.listxattr(motd)
        operations.switch(live, Wanted(a_manifest()))
        assert motd.read_text() == "original\n"
        assert os.getxattr(motd, "user.note") == b"theirs"


def test_what_was_replaced_is_kept_for_root_alone(live: Live) -> None:
    operations.switch(live, _motd("one"))
    home = live.path / "var/lib/holdfast/host"
    assert home.stat().st_mode & 0o077 == 0
    kept = home / "kept" / digest_bytes(b"original\n")[7:]
    assert kept.read_text() == "original\n"
    assert isinstance(operations.plan(live, Wanted(a_manifest())).files[0].after, File)


ASSUMED = Identity("box", assumed=("hostname", "locale", "timezone"))
OWN = {"etc/hostname": "theirs\n", "etc/hosts": "127.0.0.1 localhost\n", "etc/default/locale": "LANG=C\n"}


def test_a_machine_keeps_what_nobody_declared(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", OWN)
    with open_live(root, blobs=blobs_of()) as live:
        nothing = Wanted(a_manifest(identity=ASSUMED))
        assert operations.plan(live, nothing).files == ()
        before = snapshot(root, without=("/var",))
        operations.switch(live, Wanted(a_manifest(identity=Identity("box", None, "UTC"))))
        assert (root / "etc/hostname").read_text() == "box\n"
        assert "127.0.1.1\tbox" in (root / "etc/hosts").read_text()
        operations.switch(live, nothing)
        assert snapshot(root, without=("/var",)) == before


def test_a_system_that_is_made_gets_what_nobody_declared_and_keeps_it(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {})
    (root / "etc/hostname").unlink(missing_ok=True)
    run(a_manifest(identity=ASSUMED), root)
    assert (root / "etc/hostname").read_text() == "box\n"
    assert (root / "etc/locale.conf").read_text() == "LANG=C.UTF-8\n"
    with open_live(root, blobs=blobs_of()) as live:
        more = a_manifest(identity=ASSUMED, files={"/x": TextFile("")})
        assert [file.path for file in operations.plan(live, Wanted(more)).files] == ["/x"]
        # Also where the state is of a time when it did not tell.
        state = root / "var/lib/holdfast/host/state.json"
        told = state.read_text()
        assert '"built":true' in told
        state.write_text(told.replace('"built":true,', ""))
        assert [file.path for file in operations.plan(live, Wanted(more)).files] == ["/x"]
