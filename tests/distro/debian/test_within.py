"""Trees whose links lead out of them, and files that are shared with the package cache: neither is ever written through."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.distro.debian import within
from holdfast.distro.debian.bootstrap import compose
from holdfast.distro.debian.database import conffiles, write_automatic_marks, write_triggers
from holdfast.distro.debian.deb import Unpacked, load, unpack
from holdfast.distro.debian.finish import mark_updated, scrub, write_sources
from holdfast.distro.debian.ids import read_ids, settle
from holdfast.distro.debian.releases import find_release
from holdfast.distro.lockfile import Ids, LockedSource, PackageSet
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import Store
from tests.distro.debian.archives import directory, make_deb, member
from tests.distro.debian.test_compose import Members

TRIXIE = find_release("trixie")
EARLY, LATE = 1_000_000_000, 1_200_000_000


def package_set(epoch: int) -> PackageSet:
    source = LockedSource("debian", "trixie", epoch, digest_bytes(b""), {})
    return PackageSet(Distribution("debian", "trixie", "amd64"), Packages(), (source,), (), "apt 3.0")


def cached(tmp_path: Path, data: Members, control: dict[str, str] | None = None) -> Unpacked:
    deb = tmp_path / "one.deb"
    deb.write_bytes(make_deb("one", data=data, control=control))
    place = tmp_path / "cache"
    place.mkdir()
    unpack(deb, place, what="one")
    found = load(place)
    assert found is not None
    return found


def snapshot(place: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(place.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        if not path.is_dir() or path.is_symlink():
            found[str(path)] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
    return found


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Path]:
    """A directory of this machine, which nothing in a tree may change."""
    place = tmp_path / "outside"
    place.mkdir()
    for name in ("passwd", "group", "debian.sources", ".updated", "status", "extended_states", "x"):
        (place / name).write_text("someone:x:999:999:::\n")
    before = snapshot(place)
    yield place
    assert snapshot(place) == before


def test_finishing_follows_no_link_out_of_the_tree(tmp_path: Path, outside: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("var/log", "etc/apt", "var/lib"):
        (tree / name).mkdir(parents=True)
    for link in ("var/tmp", "run", "var/log/apt", "var/lib/apt", "etc/apt/sources.list.d"):
        (tree / link).symlink_to(outside)
    for link in ("etc/.updated", "etc/passwd", "etc/group"):
        (tree / link).symlink_to(outside / link.rpartition("/")[2])
    (tree / "etc/machine-id").symlink_to(outside / "x")
    scrub(tree, TRIXIE)
    mark_updated(tree, EARLY)
    write_sources(tree, package_set(EARLY))
    write_automatic_marks(tree, ["one"], "amd64")
    assert read_ids(tree) == Ids()


def test_links_lead_where_they_would_on_the_system(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "data/log").mkdir(parents=True)
    (tree / "var").mkdir()
    (tree / "var/log").symlink_to("/data/log")
    within.write(tree, "/var/log/apt/term.log", "x")
    assert (tree / "data/log/apt/term.log").read_text() == "x"
    assert within.read(tree, "/var/log/apt/term.log") == "x"
    scrub(tree, TRIXIE)
    assert list((tree / "data/log/apt").iterdir()) == []


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    before = os.umask(0o077)
    try:
        within.write(tree, "/a/b/c", "")
    finally:
        os.umask(before)
    modes = [oct((tree / name).stat().st_mode & 0o777) for name in ("a", "a/b", "a/b/c")]
    assert modes == ["0o755", "0o755", "0o644"]


def test_nothing_reaches_the_cache_or_this_machine(tmp_path: Path, outside: Path) -> None:
    """A package that ships what composing and finishing write: it loses, and its cached files stay as they are."""
    shipped = [
        "usr/sbin/policy-rc.d", "etc/.updated", "etc/machine-id", "etc/apt/sources.list.d/debian.sources",
        "var/lib/apt/extended_states", "var/lib/dpkg/status", "var/lib/dpkg/info/one.list", "var/lib/dpkg/info/one.postinst",
        "var/lib/dpkg/triggers/File", "etc/passwd", "etc/group", "home/a", "home/b",
    ]  # fmt: skip
    places = sorted(
        {str(parent) for name in shipped for parent in Path(name).parents} | {"var/lib/dpkg/parts"}
    )
    data = [
        *(directory(f"./{place}") for place in places),
        *(member(f"./{name}", b"bin:x:100:100:::\n", mtime=EARLY) for name in shipped),
        member("./var/lib/dpkg/available", kind=tarfile.SYMTYPE, link=str(outside / "status")),
        member("./young", b"y", mtime=LATE),
    ]
    one = cached(tmp_path, data, {"postinst": "#!/bin/sh\n", "triggers": "interest x\n"})
    before = snapshot(one.place)
    store = Store(tmp_path / "store")
    layers: list[dict[str, int]] = []
    for epoch in (EARLY - 5, LATE - 5, LATE + 5):
        with store.scratch() as scratch:
            tree = scratch / "tree"
            tree.mkdir()
            compose(tree, [one], package_set(epoch), TRIXIE)
            write_sources(tree, package_set(epoch))
            write_automatic_marks(tree, ["one"], "all")
            scrub(tree, TRIXIE)
            mark_updated(tree, epoch)
            if os.geteuid() == 0:
                settle(tree, read_ids(tree), Ids({"bin": 101}, {"bin:x": 1, "bin": 101}))
            layer = store.layers.from_tree(tree, clamp_mtime=epoch)
            store.trees.adopt(layer.diff_id, tree)
        assert snapshot(one.place) == before
        layers.append({entry.path: entry.mtime for entry in store.layers.table(layer.diff_id).entries})
    assert [times["young"] for times in layers] == [EARLY - 5, LATE - 5, LATE]
    assert [times["home/a"] for times in layers] == [EARLY - 5, EARLY, EARLY]


def test_a_young_script_keeps_its_time_in_the_cache(tmp_path: Path) -> None:
    one = cached(tmp_path, [directory("./"), member("./a", b"a")], {"postinst": "#!/bin/sh\n"})
    os.utime(one.place / "control/postinst", (LATE, LATE))
    times: list[int] = []
    store = Store(tmp_path / "store")
    for epoch in (EARLY, LATE + 1):
        with store.scratch() as scratch:
            (scratch / "tree").mkdir()
            compose(scratch / "tree", [one], package_set(epoch), TRIXIE)
            layer = store.layers.from_tree(scratch / "tree", clamp_mtime=epoch)
            store.trees.adopt(layer.diff_id, scratch / "tree")
        table = {entry.path: entry.mtime for entry in store.layers.table(layer.diff_id).entries}
        times.append(table["var/lib/dpkg/info/one.postinst"])
    assert times == [EARLY, LATE]


@pytest.mark.parametrize("name", ["../../victim", "a/b", ""])
def test_a_trigger_is_a_name(tmp_path: Path, name: str) -> None:
    one = cached(tmp_path, [directory("./")], {"triggers": f"interest {name}\n"})
    tree = tmp_path / "a/b/c/tree"
    (tree / "var/lib/dpkg/triggers").mkdir(parents=True)
    if name:
        with pytest.raises(HoldfastError, match="is no trigger"):
            write_triggers(tree, [one])
    assert not list(tmp_path.rglob("victim"))


def test_conffiles_are_files_of_the_package(tmp_path: Path, outside: Path) -> None:
    data = [directory("./"), member("./etc", kind=tarfile.SYMTYPE, link=str(outside)), member("./own", b"")]
    one = cached(tmp_path, data, {"conffiles": "/etc/x\n/own\n/../outside/x\n"})
    assert [path for path, _ in conffiles(one)] == ["/own"]
