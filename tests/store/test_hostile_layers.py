"""Layers made by somebody else's tar program (the standard library's), most of them with bad intentions."""

from __future__ import annotations

import io
import os
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from holdfast.base.errors import HoldfastError
from holdfast.base.events import stage
from holdfast.store import Entry, Store, open_store
from holdfast.store.admission import Limits
from holdfast.store.unpack import unpack
from tests.examples import at_most
from tests.store.trees_at_hand import snapshot

Member = tuple[str, dict[str, object], bytes]


def member(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **fields: object) -> Member:
    return name, {"type": kind, **fields}, content


def tar_of(*members: Member, pax: dict[str, str] | None = None, form: int = tarfile.PAX_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form, pax_headers=pax) as tar:
        for name, fields, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.uid, info.gid = os.geteuid(), os.getegid()
            for key, value in fields.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def directory(name: str) -> Member:
    return member(name, tarfile.DIRTYPE, mode=0o755)


def link(name: str, target: str) -> Member:
    return member(name, tarfile.SYMTYPE, linkname=target)


def hard(name: str, target: str) -> Member:
    return member(name, tarfile.LNKTYPE, linkname=target)


def damaged_checksum() -> bytes:
    data = bytearray(tar_of(member("a")))
    data[0] ^= 1
    return bytes(data)


def size_beyond_the_end() -> bytes:
    info = tarfile.TarInfo("x")
    info.size = 1 << 40
    return info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "absolute name": (lambda: tar_of(member("/etc/evil")), "is absolute"),
    "absolute directory": (lambda: tar_of(directory("/evil")), "is absolute"),
    "parent name": (lambda: tar_of(member("../evil")), "contains '..'"),
    "parent inside": (lambda: tar_of(directory("a"), member("a/../../evil")), "contains '..'"),
    "parent at the end": (lambda: tar_of(directory("a/..")), "contains '..'"),
    "parent in a long name": (lambda: tar_of(member("a/" * 80 + "../" * 90 + "evil")), "contains '..'"),
    "parent in a GNU long name": (
        lambda: tar_of(member("a/" * 80 + "../" * 90 + "evil"), form=tarfile.GNU_FORMAT),
        "contains '..'",
    ),
    "through a link of the layer": (
        lambda: tar_of(link("out", ".."), member("out/evil")),
        "its parent 'out' is a symlink",
    ),
    "through an absolute link": (
        lambda: tar_of(link("out", "/tmp"), directory("out/evil")),
        "its parent 'out' is a symlink",
    ),
    "below a file": (lambda: tar_of(member("f"), member("f/evil")), "its parent 'f' is a file"),
    "link replaces an implied directory": (
        lambda: tar_of(member("a/b/c"), link("a/b", "/")),
        "it comes twice",
    ),
    "file over a link": (lambda: tar_of(link("x", "/etc/evil"), member("x", content=b"!")), "it comes twice"),
    "the same file twice": (lambda: tar_of(member("x"), member("./x")), "it comes twice"),
    "the same directory twice": (lambda: tar_of(directory("x"), directory("x/")), "it comes twice"),
    "link in place of the root": (lambda: tar_of(link(".", "/")), "would replace the root"),
    "hard link outside": (lambda: tar_of(hard("x", "../../etc/passwd")), "contains '..'"),
    "hard link to an absolute path": (lambda: tar_of(hard("x", "/etc/passwd")), "is absolute"),
    "hard link to nothing": (lambda: tar_of(hard("x", "etc/passwd")), "no earlier file"),
    "hard link to a link": (lambda: tar_of(link("l", "/etc/passwd"), hard("x", "l")), "no earlier file"),
    "hard link to a directory": (lambda: tar_of(directory("d"), hard("x", "d")), "no earlier file"),
    "hard link to itself": (lambda: tar_of(hard("x", "x")), "no earlier file"),
    "hard link to a whiteout": (lambda: tar_of(member(".wh.a"), hard("x", ".wh.a")), "no earlier file"),
    "block device": (lambda: tar_of(member("sda", tarfile.BLKTYPE, devmajor=8)), "is a device node"),
    "character device": (
        lambda: tar_of(member("mem", tarfile.CHRTYPE, devmajor=1, devminor=1)),
        "is a device node",
    ),
    "whiteout of the parent": (lambda: tar_of(member(".wh...")), "no whiteout"),
    "whiteout of nothing": (lambda: tar_of(member(".wh.")), "no whiteout"),
    "aufs's own names": (lambda: tar_of(member(".wh..wh.plnk")), "no whiteout"),
    "whiteout with content": (lambda: tar_of(member(".wh.a", content=b"x")), "must be an empty file"),
    "whiteout as directory": (lambda: tar_of(directory(".wh.a")), "must be an empty file"),
    "below a whiteout": (lambda: tar_of(member(".wh.a/b")), "below the name of a whiteout"),
    "owner out of range": (lambda: tar_of(member("x", uid=2**32)), "owner is out of range"),
    "time out of range": (
        lambda: tar_of(member("x", mtime=1 << 70), form=tarfile.GNU_FORMAT),
        "time is out of range",
    ),
    "time in a pax record out of range": (
        lambda: tar_of(member("x", pax_headers={"mtime": "-" + "9" * 19})),
        "time is out of range",
    ),
    "zero byte in an attribute's name": (
        lambda: tar_of(member("x", pax_headers={"SCHILY.xattr.user.a\0b": "y"})),
        "zero byte",
    ),
    "zero byte in a link's target": (
        lambda: tar_of(member("x", tarfile.SYMTYPE, pax_headers={"linkpath": "a\0b"})),
        "zero byte",
    ),
    "component too long": (lambda: tar_of(member("n" * 256)), "name is too long"),
    "name too long": (lambda: tar_of(member("/".join(["n" * 250] * 17))), "name is too long"),
    "too deep": (lambda: tar_of(member("d/" * 201 + "x")), "directories deep"),
    "global pax records": (lambda: tar_of(member("x"), pax={"path": "/etc/evil"}), "global pax records"),
    "enormous pax records": (
        lambda: tar_of(member("x", pax_headers={"comment": "c" * (1 << 20)})),
        "larger than 1 MiB",
    ),
    "sparse file": (
        lambda: tar_of(member("x", tarfile.GNUTYPE_SPARSE), form=tarfile.GNU_FORMAT),
        "no need of",
    ),
    "unknown type": (lambda: tar_of(member("x", b"V")), "no need of"),
    "wrong checksum": (damaged_checksum, "checksum is wrong"),
    "cut off in a content": (lambda: tar_of(member("x", content=b"y" * 5000))[:2048], "cut off"),
    "cut off in a header": (lambda: tar_of(member("x"))[:600] + b"x" * 300, "cut off"),
    "size beyond the end": (size_beyond_the_end, "cut off"),
    "no tar at all": (lambda: b"hello", "is no tar"),
    "random bytes": (lambda: random.Random(3).randbytes(4096), "damaged"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_layer_is_refused_and_nothing_is_written(tmp_path: Path, attack: str) -> None:
    make_tar, message = HOSTILE[attack]
    store = open_store(tmp_path / "deep" / "er" / "store")
    (tmp_path / "canary").write_text("alive")
    digest = store.blobs.put_bytes(make_tar())
    before = snapshot(tmp_path / "deep" / "er" / "store" / "trees")
    with pytest.raises(HoldfastError) as caught:
        store.trees.ensure(digest)
    assert message in str(caught.value)
    assert snapshot(store.root / "trees") == before
    assert list((store.root / "tmp").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["canary", "deep"]
    assert [path.name for path in (tmp_path / "deep" / "er").iterdir()] == ["store"]
    assert not Path("/etc/evil").exists() and not Path("/evil").exists()


def test_unpacking_itself_follows_no_link_even_if_admission_were_wrong(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "out").symlink_to("../outside")
    (tmp_path / "outside" / "file").write_bytes(b"precious")
    (tmp_path / "root" / "same").hardlink_to(tmp_path / "outside" / "file")
    (tmp_path / "tar").write_bytes(b"content")
    evil = [
        Entry("", "directory", 0o755, os.geteuid(), os.getegid(), 0),
        Entry("out/evil", "file", 0o644, os.geteuid(), os.getegid(), 0, size=7),
    ]
    over = [Entry("out", "file", 0o644, os.geteuid(), os.getegid(), 0, size=7)]
    with (tmp_path / "tar").open("rb") as tar, stage("Unpacking") as progress:
        for entries in (evil, over, [over[0]._replace(path="same")]):
            with pytest.raises(HoldfastError, match="cannot unpack into"):
                unpack(entries, tar.fileno(), tmp_path / "root", progress)
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["file"]
    assert (tmp_path / "outside" / "file").read_bytes() == b"precious"
    assert (tmp_path / "root" / "out").is_symlink()


BOMBS = {
    "members": (Limits(entries=3), "more than 3 members"),
    "content": (Limits(content_bytes=1000), "holds more than"),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused(store: Store, kind: str) -> None:
    limits, message = BOMBS[kind]
    digest = store.blobs.put_bytes(tar_of(*(member(f"{number}", content=b"x" * 300) for number in range(4))))
    with pytest.raises(HoldfastError, match=message):
        store.trees.ensure(digest, limits=limits)
    assert store.trees.ensure(digest).is_dir()


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_an_honest_layer_of_another_program_is_unpacked(store: Store, form: int) -> None:
    long = "d/" * 30 + "n" * 60
    members = [
        directory("./"),
        directory("usr/"),
        member("usr/x", content=b"abc", mode=0o4711, mtime=1234567890),
        hard("usr/y", "usr/x"),
        link("dangling", "/no/where/../at/all"),
        link("up", "../../../../etc/passwd"),
        member(long, content=b"long"),
        member("fifo", tarfile.FIFOTYPE),
        member("implied/parent", content=b"i"),
    ]
    tree = store.trees.ensure(store.blobs.put_bytes(tar_of(*members, form=form)))
    assert (tree / "usr/y").read_bytes() == b"abc" and (tree / "usr/y").samefile(tree / "usr/x")
    assert (tree / "usr/x").stat().st_mode & 0o7777 == 0o4711
    assert (tree / "usr/x").stat().st_mtime == 1234567890
    assert (tree / "dangling").readlink() == Path("/no/where/../at/all")
    assert (tree / "up").readlink() == Path("../../../../etc/passwd")
    assert (tree / long).read_bytes() == b"long"
    assert (tree / "fifo").is_fifo()
    assert (tree / "implied").stat().st_mode & 0o7777 == 0o755
    assert store.verify().ok


def test_attributes_that_would_steer_overlayfs_are_not_taken_from_a_layer(store: Store) -> None:
    attributes = {
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.trusted.overlay.opaque": "y",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.user.kept": "yes",
    }
    digest = store.blobs.put_bytes(tar_of(member("d", tarfile.DIRTYPE, mode=0o755, pax_headers=attributes)))
    assert os.listxattr(store.trees.ensure(digest) / "d") == ["user.kept"]


@pytest.mark.system
def test_device_nodes_are_made_only_on_request(store: Store) -> None:
    digest = store.blobs.put_bytes(tar_of(member("null", tarfile.CHRTYPE, devmajor=1, devminor=3)))
    tree = store.trees.ensure(digest, limits=Limits(devices=True))
    assert (tree / "null").is_char_device()
    whiteout = store.blobs.put_bytes(tar_of(member("null", tarfile.CHRTYPE, devmajor=0, devminor=0)))
    with pytest.raises(HoldfastError, match="takes for a whiteout"):
        store.trees.ensure(whiteout, limits=Limits(devices=True))


@at_most(40, suppress=[HealthCheck.function_scoped_fixture])
@given(
    position=st.integers(0, 4095),
    value=st.integers(0, 255),
    cut=st.integers(0, 4096),
)
def test_a_mangled_tar_is_unpacked_or_refused_and_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, position: int, value: int, cut: int
) -> None:
    members = [directory("d"), member("d/" + "n" * 120, content=b"c" * 600), hard("h", "d/" + "n" * 120)]
    data = bytearray(tar_of(*members))
    data[position % len(data)] = value
    store = open_store(tmp_path_factory.mktemp("mangled") / "store")
    try:
        digest = store.blobs.put_bytes(bytes(data[: max(cut, 1)]))
        store.layers.table(digest)
    except HoldfastError:
        pass
