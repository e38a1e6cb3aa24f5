"""What rules of tmpfiles.d(5) made goes with them; here the test stands for systemd-tmpfiles, on a root that does not run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.files.tmpfiles import made_by
from holdfast.host.live import Live, open_live
from holdfast.manifest.model import TextFile
from tests.host.roots import a_manifest, blobs_of, make_root, snapshot

RECORD = ("/var/lib/holdfast", "/etc/hostname", "/etc/hosts")
RULES = (
    "d /srv/data/deep 0750",
    "d /srv/full",
    "f /srv/data/note - - - - a note",
    "f /srv/changed - - - - as made",
    "L /srv/link - - - - ../etc/motd",
    "d /srv/there",
)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    root = make_root(tmp_path / "root", {"srv/there/mine": ""})
    with open_live(root, blobs=blobs_of()) as opened:
        yield opened


def make(root: Path) -> None:
    for name in ("data/deep", "full"):
        (root / "srv" / name).mkdir(parents=True, exist_ok=True)
    (root / "srv/data/note").write_text("a note")
    (root / "srv/changed").write_text("as made")
    (root / "srv/link").symlink_to("../etc/motd")


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("d /run/a 0755 root root 10d", {"/run/a": ""}),
        ("D! /run/a/ - - - -", {"/run/a": ""}),
        ("f+ /a - - - - some  text", {"/a": "some  text"}),
        ("L? /a - - - - ../b c", {"/a": "../b c"}),
        ("L /a", {"/a": ""}),
        ("z /a 0755", {}),
        ("r /a", {}),
        ("C /a - - - - /b", {}),
        ("d /a%b", {}),
        ("d /a*", {}),
        ('d "/a b"', {}),
        ("f /a - - - - %b", {}),
        ("f /a - - - - \\x20", {}),
        ("", {}),
    ],
)
def test_what_a_line_makes(line: str, made: dict[str, str]) -> None:
    assert made_by([line]) == made


def test_it_goes_with_its_rule_unless_somebody_uses_it(live: Live) -> None:
    root = live.path
    operations.switch(live, Wanted(a_manifest()))
    before = snapshot(root, without=RECORD)
    operations.switch(live, Wanted(a_manifest(tmpfiles=RULES)))
    make(root)
    assert operations.plan(live, Wanted(a_manifest(tmpfiles=RULES))).empty
    (root / "srv/full/theirs").touch()
    (root / "srv/changed").write_text("changed")
    operations.switch(live, Wanted(a_manifest(tmpfiles=RULES[:1])))
    left = sorted(path.name for path in (root / "srv").iterdir())
    assert left == ["changed", "data", "full", "there"]
    assert [path.name for path in (root / "srv/data").iterdir()] == ["deep"]
    operations.rollback(live)
    make(root)
    for path in (root / "srv/full/theirs", root / "srv/changed"):
        path.unlink()
    operations.switch(live, Wanted(a_manifest()))
    after = snapshot(root, without=RECORD)
    assert {path for path in after if path not in before} == {"/srv/full"}, (
        "it was there when its rule came back"
    )


def test_a_directory_that_something_else_of_ours_is_in_goes_with_that(live: Live) -> None:
    operations.switch(live, Wanted(a_manifest(tmpfiles=("d /srv/new",))))
    (live.path / "srv/new").mkdir()
    files = {"/srv/new/file": TextFile("")}
    operations.switch(live, Wanted(a_manifest(files=files)))
    assert (live.path / "srv/new/file").exists()
    operations.deactivate(live)
    assert [path.name for path in (live.path / "srv").iterdir()] == ["there"]


def test_what_somebody_takes_away_is_no_change_to_make(live: Live) -> None:
    wanted = Wanted(a_manifest(tmpfiles=RULES))
    operations.switch(live, wanted)
    make(live.path)
    (live.path / "srv/there/mine").unlink()
    (live.path / "srv/there").rmdir()
    assert operations.plan(live, wanted).empty
