from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.errors import HoldfastError
from holdfast.distro.debian.ids import extend, read_ids, recall, remember, settle
from holdfast.distro.lockfile import Ids
from tests.examples import at_most

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
messagebus:x:100:101::/nonexistent:/usr/sbin/nologin
www:x:101:102:Web, server:/srv/www:/usr/sbin/nologin
"""
GROUP = (
    "root:x:0:\nshadow:x:42:\nmessagebus:x:101:\nwww:x:102:messagebus\nadm-like:x:103:www\nnogroup:x:65534:\n"
)
FOUND = Ids({"messagebus": 100, "www": 101}, {"messagebus": 101, "www": 102, "adm-like": 103})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text(PASSWD)
    (tmp_path / "etc/group").write_text(GROUP)
    return tmp_path


def test_only_dynamic_ids_are_read(root: Path, tmp_path: Path) -> None:
    assert read_ids(root) == FOUND
    assert read_ids(tmp_path / "nothing") == Ids()


def test_nothing_pinned_is_changed_and_nothing_given_twice() -> None:
    pinned = Ids({"www": 100}, {"other": 103})
    grown = extend(pinned, FOUND)
    assert grown.users == {"www": 100, "messagebus": 999}
    assert grown.groups["other"] == 103
    assert grown.groups["messagebus"] == 101
    assert grown.groups["adm-like"] not in (103, 101, 102)


names = st.sampled_from(["a", "b", "c", "d", "e"])
tables = st.dictionaries(names, st.integers(100, 104)).filter(
    lambda table: len(set(table.values())) == len(table)
)


@at_most(40)
@given(tables, tables, tables, tables)
def test_growing_is_append_only(
    users: dict[str, int], groups: dict[str, int], more: dict[str, int], also: dict[str, int]
) -> None:
    pinned, found = Ids(users, groups), Ids(more, also)
    grown = extend(pinned, found)
    assert {name: grown.users[name] for name in users} == users
    assert {name: grown.groups[name] for name in groups} == groups
    assert grown.users.keys() == users.keys() | more.keys()
    assert grown.groups.keys() == groups.keys() | also.keys()
    assert len(set(grown.users.values())) == len(grown.users)
    assert len(set(grown.groups.values())) == len(grown.groups)
    assert extend(grown, found) == grown


def test_a_new_account_fails_the_build(root: Path) -> None:
    with pytest.raises(HoldfastError) as caught:
        settle(root, FOUND, Ids({"messagebus": 100}, {"messagebus": 101, "www": 102}))
    assert caught.value.brief == (
        "the packages create accounts whose ids are not in the lock: user www, group adm-like"
    )
    assert caught.value.resolution == "Run `holdfast lock`, which gives them ids."
    assert (root / "etc/passwd").read_text() == PASSWD


def test_equal_ids_change_nothing(root: Path) -> None:
    before = (root / "etc/passwd").stat()
    settle(root, FOUND, FOUND)
    assert (root / "etc/passwd").stat() == before


@pytest.mark.system
def test_renumbering_swaps_databases_and_owners_and_keeps_everything_else(root: Path) -> None:
    (root / "srv/www").mkdir(parents=True)
    os.chown(root / "srv/www", 101, 102)
    tool = root / "srv/tool"
    tool.write_bytes(b"tool")
    os.chown(tool, 0, 101)
    tool.chmod(0o4754)
    capable = root / "srv/capable"
    capable.write_bytes(b"")
    os.chown(capable, 100, 0)
    capability = bytes.fromhex("0100000200240000000000000000000000000000")
    os.setxattr(capable, "security.capability", capability)
    link = root / "srv/link"
    link.symlink_to("/etc/passwd")
    os.chown(link, 100, 101, follow_symlinks=False)
    shared = root.parent / f"{root.name}-cache"
    shared.write_bytes(b"shared")
    os.chown(shared, 101, 0)
    os.link(shared, root / "srv/shared")

    settle(
        root, FOUND, Ids({"messagebus": 101, "www": 100}, {"messagebus": 102, "www": 101, "adm-like": 103})
    )

    assert "messagebus:x:101:102::" in (root / "etc/passwd").read_text()
    assert "www:x:100:101:Web, server:/srv/www:" in (root / "etc/passwd").read_text()
    assert "_apt:x:42:65534:" in (root / "etc/passwd").read_text()
    assert "messagebus:x:102:\nwww:x:101:messagebus\n" in (root / "etc/group").read_text()
    owners = {path.name: (path.lstat().st_uid, path.lstat().st_gid) for path in (root / "srv").iterdir()}
    assert owners == {
        "www": (100, 101),
        "tool": (0, 102),
        "capable": (101, 0),
        "link": (101, 102),
        "shared": (100, 0),
    }
    assert tool.stat().st_mode & 0o7777 == 0o4754
    assert os.getxattr(capable, "security.capability") == capability
    assert shared.stat().st_uid == 101, "what the package cache has must stay as it is"
    assert link.readlink() == Path("/etc/passwd")
    shared.unlink()


def test_what_was_found_is_remembered(tmp_path: Path) -> None:
    remember(tmp_path / "ids", FOUND)
    assert recall(tmp_path / "ids") == FOUND
    (tmp_path / "ids").write_text("{")
    assert recall(tmp_path / "ids") is None
    assert recall(tmp_path / "none") is None
