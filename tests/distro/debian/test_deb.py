"""Packages, sound and hostile, unpacked into the cache."""

from __future__ import annotations

import lzma
import tarfile
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.distro.debian import deb
from holdfast.distro.debian.deb import load, unpack
from tests.distro.debian.archives import directory, make_ar, make_deb, make_tar, member


def unpacked(tmp_path: Path, content: bytes) -> deb.Unpacked:
    (tmp_path / "x.deb").write_bytes(content)
    place = tmp_path / "place"
    place.mkdir()
    unpack(tmp_path / "x.deb", place, what="x 1.0")
    found = load(place)
    assert found is not None
    return found


def refusal(tmp_path: Path, content: bytes) -> str:
    """The message of the refusal; checks that nothing outside was touched."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("whole")
    with pytest.raises(HoldfastError) as caught:
        unpacked(tmp_path, content)
    assert [path.name for path in outside.iterdir()] == ["victim"]
    assert (outside / "victim").read_text() == "whole"
    return str(caught.value)


@pytest.mark.parametrize("compress", [".xz", ".gz", ""])
def test_files_with_their_metadata(tmp_path: Path, compress: str) -> None:
    found = unpacked(
        tmp_path,
        make_deb(
            "hello",
            fields={"Multi-Arch": "same", "Architecture": "amd64"},
            data=[
                directory("./"),
                directory("./usr/"),
                member("./usr/tool", b"#!/bin/sh\n", mode=0o4755, mtime=5),
                member("./usr/again", kind=tarfile.LNKTYPE, link="./usr/tool"),
                member("./usr/link", kind=tarfile.SYMTYPE, link="/etc/anything", mtime=7),
                member("./implied/deep/" + "n" * 120, b"long name"),
            ],
            control={"postinst": "#!/bin/sh\n", "md5sums": ""},
            compress=compress,
        ),
    )
    assert found.name == "hello" and found.info_name == "hello:amd64"
    assert found.control_files == ("md5sums", "postinst")
    tool = found.data("usr/tool").stat()
    assert (tool.st_mode & 0o7777, tool.st_mtime, tool.st_nlink) == (0o4755, 5, 2)
    assert found.data("usr/again").samefile(found.data("usr/tool"))
    link = found.data("usr/link")
    assert link.readlink() == Path("/etc/anything") and link.lstat().st_mtime == 7
    assert found.data("implied/deep/" + "n" * 120).read_text() == "long name"
    assert (found.place / "control/postinst").stat().st_mode & 0o777 == 0o755


def test_dpkg_debs_own_packages_can_be_read(tmp_path: Path) -> None:
    for name, options in (("a", ["-Zxz"]), ("b", ["-Zgzip"]), ("c", ["-Zzstd"]), ("d", ["-Znone"])):
        source = tmp_path / name / "source"
        (source / "DEBIAN").mkdir(parents=True)
        (source / "DEBIAN/control").write_text(
            "Package: made\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n"
        )
        (source / "file").write_text(name)
        run(["dpkg-deb", "--root-owner-group", *options, "--build", source, tmp_path / name / "made.deb"])
        found = unpacked(tmp_path / name, (tmp_path / name / "made.deb").read_bytes())
        assert found.data("file").read_text() == name


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ([member("../outside/victim", b"x")], "contains '..'"),
        ([member("./a/../../outside/victim", b"x")], "contains '..'"),
        ([member("/outside/victim", b"x")], "is absolute"),
        (
            [member("./up", kind=tarfile.SYMTYPE, link="../../../outside"), member("./up/victim", b"x")],
            "is a symlink",
        ),
        (
            [member("./up", kind=tarfile.SYMTYPE, link="/"), directory("./up"), member("./up/x", b"x")],
            "comes twice",
        ),
        ([member("./hard", kind=tarfile.LNKTYPE, link="../../../outside/victim")], "contains '..'"),
        ([member("./hard", kind=tarfile.LNKTYPE, link="/etc/passwd")], "is absolute"),
        (
            [member("./hard", kind=tarfile.LNKTYPE, link="./later"), member("./later", b"x")],
            "no earlier file",
        ),
        ([member("./null", kind=tarfile.CHRTYPE)], "device node"),
        ([member("./disk", kind=tarfile.BLKTYPE)], "device node"),
        ([member("./a", b"1"), member("./a", b"2")], "comes twice"),
        ([member("./pipe", kind=tarfile.FIFOTYPE)], "a fifo"),
    ],
)
def test_hostile_files_are_refused(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]], why: str
) -> None:
    message = refusal(tmp_path, make_deb(data=members))
    assert why in message
    assert "the package x 1.0" in message


@pytest.mark.parametrize(
    ("control", "why"),
    [
        ([member("../control", b"Package: x\n")], "contains '..'"),
        ([member("control", kind=tarfile.SYMTYPE, link="/etc/passwd")], "is no plain file"),
        ([directory("sub"), member("sub/control", b"x")], "is no plain file"),
        ([], "damaged"),
    ],
)
def test_hostile_control_archives_are_refused(
    tmp_path: Path, control: list[tuple[tarfile.TarInfo, bytes]], why: str
) -> None:
    content = make_ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar": make_tar(control, compress=""),
            "data.tar": make_tar([], compress=""),
        }
    )
    assert why in refusal(tmp_path, content)


@pytest.mark.slow
def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb, "_IN_MEMORY", 1 << 20)
    monkeypatch.setattr(deb, "_LARGEST", 3 << 20)
    bomb = lzma.compress(bytes(5 << 20))
    content = make_ar(
        {
            "debian-binary": b"2.0\n",
            "control.tar": make_tar([member("control")], compress=""),
            "data.tar.xz": bomb,
        }
    )
    assert "unpacks to more than" in refusal(tmp_path, content)


def test_a_large_package_goes_through_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb, "_IN_MEMORY", 1 << 16)
    payload = bytes(range(256)) * 4096
    found = unpacked(tmp_path, make_deb(data=[member("./big", payload)]))
    assert found.data("big").read_bytes() == payload


def whole() -> bytes:
    return make_deb(data=[member("./file", bytes(range(256)) * 64)])


@pytest.mark.parametrize("size", [0, 4, 8, 40, 70, 130, 250, 300, 400])
def test_a_truncated_package_is_damaged(tmp_path: Path, size: int) -> None:
    content = whole()
    assert size < len(content) - 10
    assert "damaged" in refusal(tmp_path, content[:size])


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    content = bytearray(whole())
    content[-30] ^= 0xFF
    assert "the package x 1.0" in refusal(tmp_path, bytes(content))


def test_an_unknown_compression_is_named(tmp_path: Path) -> None:
    content = make_ar({"debian-binary": b"2.0\n", "control.tar.br": b"", "data.tar.br": b""})
    assert "its compression '.br' is unknown" in refusal(tmp_path, content)


def test_a_cached_package_that_lost_content_is_not_used(tmp_path: Path) -> None:
    found = unpacked(tmp_path, whole())
    assert load(found.place) is not None
    found.data("file").write_bytes(b"")  # what a power cut leaves of an unwritten file
    assert load(found.place) is None
    found.data("file").unlink()
    assert load(found.place) is None
    assert load(tmp_path / "nowhere") is None


def test_a_cached_package_that_lost_a_script_is_not_used(tmp_path: Path) -> None:
    """dpkg would run an empty script without complaint."""
    found = unpacked(tmp_path, make_deb(control={"postinst": "#!/bin/sh\n"}))
    assert found.control_files == ("postinst",)
    (found.place / "control/postinst").write_bytes(b"")
    assert load(found.place) is None


@pytest.mark.parametrize(
    "fields", [{"Package": "../../../victim"}, {"Architecture": "all/../../../victim"}, {"Package": "a b"}]
)
def test_a_name_that_is_a_path_is_refused(tmp_path: Path, fields: dict[str, str]) -> None:
    assert f"its field {next(iter(fields))} is" in refusal(tmp_path, make_deb(fields=fields))


def test_a_time_beyond_all_clocks_is_refused(tmp_path: Path) -> None:
    assert "time" in refusal(tmp_path, make_deb(data=[member("./a", mtime=1 << 70)]))
