from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.engine import archive
from holdfast.engine.about import ABOUT, About
from holdfast.engine.archive import contents_digest, pack, unpack
from holdfast.store import open_store

pytestmark = pytest.mark.slow  # it starts programs or waits for them

CONTENTS = {
    "__main__.py": b"main",
    "holdfast/__init__.py": b"",
    "holdfast/base/atomic.py": b"x = 1\n",
    "lib/deep/down/data.json": b"{}",
}


def test_equal_contents_give_equal_bytes_in_any_order() -> None:
    about = About(contents_digest(CONTENTS, "1"), "1")
    backwards = dict(reversed(CONTENTS.items()))
    assert pack(CONTENTS, about) == pack(backwards, about)
    assert contents_digest(CONTENTS, "1") == contents_digest(backwards, "1")


def test_digest_says_version_names_and_contents() -> None:
    digests = {
        contents_digest(CONTENTS, "1"),
        contents_digest(CONTENTS, "2"),
        contents_digest({**CONTENTS, "more": b""}, "1"),
        contents_digest({**CONTENTS, "__main__.py": b"other"}, "1"),
    }
    assert len(digests) == 4


def test_members_are_sorted_of_one_time_and_have_their_directories() -> None:
    data = pack(CONTENTS, About(contents_digest(CONTENTS, "1"), "1"))
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        members = opened.infolist()
    names = [member.filename for member in members]
    assert names == sorted(names)
    assert {"holdfast/", "holdfast/base/", "lib/", "lib/deep/", "lib/deep/down/", ABOUT} <= set(names)
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


def test_what_was_packed_comes_back(tmp_path: Path) -> None:
    about = About(contents_digest(CONTENTS, "1"), "1")
    path = tmp_path / "engine.pyz"
    path.write_bytes(pack(CONTENTS, about))
    assert unpack(path) == (CONTENTS, about)


@pytest.mark.parametrize("damage", ["cut", "garbage", "another file", "no zip", "missing"])
def test_damaged_archives_are_refused(tmp_path: Path, damage: str) -> None:
    about = About(contents_digest(CONTENTS, "1"), "1")
    data = pack(CONTENTS, about)
    path = tmp_path / "engine.pyz"
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "garbage":
        middle = data.index(b"x = 1") if b"x = 1" in data else 60
        path.write_bytes(data[:middle] + b"\0\0\0" + data[middle + 3 :])
    elif damage == "another file":
        path.write_bytes(pack({**CONTENTS, "run": b"rm -rf /"}, about))
    elif damage == "no zip":
        path.write_text("hello")
    with pytest.raises(HoldfastError, match="engine"):
        unpack(path)


@pytest.mark.parametrize("name", ["/etc/passwd", "a/../../b", "..", "a\\..\\b"])
def test_members_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    contents = {**CONTENTS, name: b"x"}
    path = tmp_path / "engine.pyz"
    path.write_bytes(pack(contents, About(contents_digest(contents, "1"), "1")))
    with pytest.raises(HoldfastError, match="member"):
        unpack(path)


def test_our_engine_has_what_it_needs_and_nothing_of_the_authors_side() -> None:
    contents = archive.collect()
    packages = {
        name.split("/")[1] for name in contents if name.startswith("holdfast/") and name.count("/") > 1
    }
    assert {"base", "manifest", "store", "host", "engine"} <= packages
    assert packages.isdisjoint(
        {"cli", "options", "library", "project", "build", "distro", "sandbox", "machine"}
    )
    assert {"jeepney/__init__.py", "urllib3/__init__.py", "run"} <= set(contents)
    assert any(name.startswith("licenses/urllib3/") for name in contents)
    assert not [name for name in contents if "/tests/" in name or name.endswith((".pyc", ".so"))]


def test_compiled_libraries_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fastlib").mkdir()
    (tmp_path / "fastlib" / "__init__.py").touch()
    (tmp_path / "fastlib" / "core.cpython-311-x86_64-linux-gnu.so").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(archive, "LIBRARIES", ("fastlib",))
    with pytest.raises(HoldfastError, match="compiled code"):
        archive.collect()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LIBRARIES", ("nosuchlibrary",))
    with pytest.raises(HoldfastError, match="nosuchlibrary"):
        archive.collect()


def test_the_store_keeps_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store")
    first = archive.engine_archive(store)
    changed = first.path.stat().st_mtime_ns
    again = archive.engine_archive(store)
    assert again == first
    assert again.path.stat().st_mtime_ns == changed
    assert unpack(first.path)[1] == About(first.digest, first.version)
    store.close()
