from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.machine.transfer import pack, split, unpack


def archive(*entries: tuple[str, bytes, str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, link, data in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size, entry.mode = kind, link, len(data), 0o6755
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def test_a_tree_comes_back_as_it_went(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    (source / "file").write_bytes(b"\0data")
    (source / "file").chmod(0o640)
    os.link(source / "file", source / "hard")
    (source / "link").symlink_to("/nowhere")
    target = tmp_path / "below" / "target"
    unpack(pack(source, "name"), "name", target)
    assert sorted(path.name for path in target.iterdir()) == ["empty", "file", "hard", "link"]
    assert (target / "file").read_bytes() == (target / "hard").read_bytes() == b"\0data"
    assert (target / "file").stat().st_mode & 0o7777 == 0o640
    assert str((target / "link").readlink()) == "/nowhere"


def test_a_file_comes_back_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    unpack(pack(tmp_path / "a", "b"), "b", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "text"
    with pytest.raises(HoldfastError, match="is there already"):
        unpack(pack(tmp_path / "a", "b"), "b", tmp_path / "c")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([("other", tarfile.REGTYPE, "", b"x")], "was not asked for"),
        ([("/name", tarfile.REGTYPE, "", b"x")], "was not asked for"),
        ([("name/../../up", tarfile.REGTYPE, "", b"x")], "was not asked for"),
        ([("name", tarfile.CHRTYPE, "", b"")], "no file, directory or link"),
        ([("name", tarfile.LNKTYPE, "none", b"")], "which it did not send"),
        (
            [
                ("name", tarfile.DIRTYPE, "", b""),
                ("name/l", tarfile.SYMTYPE, "l", b""),
                ("name/h", tarfile.LNKTYPE, "name/l", b""),
            ],
            "which it did not send",
        ),
        ([], "did not send 'name'"),
        (
            [("name", tarfile.SYMTYPE, "../victim", b""), ("name/file", tarfile.REGTYPE, "", b"x")],
            "behind a link",
        ),
        (
            [
                ("name", tarfile.DIRTYPE, "", b""),
                ("name/l", tarfile.SYMTYPE, "/", b""),
                ("name/l/x", tarfile.REGTYPE, "", b""),
            ],
            "behind a link",
        ),
    ],
)
def test_a_hostile_machine_writes_nowhere_else(
    tmp_path: Path, entries: list[tuple[str, bytes, str, bytes]], words: str
) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    with pytest.raises(HoldfastError, match=words):
        unpack(archive(*entries), "name", tmp_path / "target")
    assert list(victim.iterdir()) == []


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    whole = archive(("name", tarfile.REGTYPE, "", b"x" * 5000))
    for data in (b"", b"no archive" * 100, whole[:2000], gzip.compress(whole)):
        with pytest.raises(HoldfastError, match="sent no tar archive"):
            unpack(data, "name", tmp_path / f"target{len(data)}")


def test_special_bits_are_dropped(tmp_path: Path) -> None:
    unpack(archive(("name", tarfile.REGTYPE, "", b"x")), "name", tmp_path / "target")
    assert (tmp_path / "target").stat().st_mode & 0o7777 == 0o755


def test_paths_of_a_machine_are_absolute() -> None:
    assert split("/etc/nginx/nginx.conf") == ("/etc/nginx", "nginx.conf")
    for path in ("relative", "/", "/a/../b"):
        with pytest.raises(HoldfastError, match="no absolute path"):
            split(path)
