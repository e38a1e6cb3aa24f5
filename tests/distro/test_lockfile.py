from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.codec import encode
from holdfast.base.debian_versions import older
from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.distro.lockfile import (
    VERSION,
    Change,
    Ids,
    Lock,
    LockedPackage,
    LockedSource,
    PackageSet,
    diff,
    parse_lock,
    read_lock,
    request_key,
    write_lock,
)
from holdfast.manifest.model import Distribution, Packages
from tests.examples import at_most

TRIXIE = Distribution("debian", "trixie", "amd64")
SOME = Digest("sha256:" + "0" * 64)
OTHER = Digest("sha256:" + "1" * 64)


def package(
    name: str, version: str = "1.0", *, sha256: Digest = SOME, architecture: str = "amd64"
) -> LockedPackage:
    return LockedPackage(name, version, architecture, "debian", f"pool/{name}.deb", 5, sha256)


def a_set(*packages: LockedPackage, install: tuple[str, ...] = ("nginx",)) -> PackageSet:
    source = LockedSource("debian", "trixie", 1_700_000_000, SOME, {"main": SOME})
    return PackageSet(
        TRIXIE, Packages(install=install), (source,), packages, "apt 3.0", Ids({"www": 999}, {})
    )


def document() -> dict[str, object]:
    data = encode(Lock().with_set(a_set(package("nginx"))))
    assert isinstance(data, dict)
    return json.loads(json.dumps(data))  # type: ignore[no-any-return]


def test_a_lock_survives_being_written_and_read(tmp_path: Path) -> None:
    lock = Lock().with_set(a_set(package("nginx"), package("curl")))
    write_lock(tmp_path / "holdfast.lock", lock)
    assert read_lock(tmp_path / "holdfast.lock") == lock


def test_an_absent_lock_is_empty(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "holdfast.lock") == Lock()


def test_the_order_of_the_request_does_not_matter() -> None:
    assert request_key(TRIXIE, Packages(install=("a", "b"))) == request_key(
        TRIXIE, Packages(install=("b", "a", "b"))
    )
    assert request_key(TRIXIE, Packages(install=("a",))) != request_key(TRIXIE, Packages(install=("b",)))


def test_a_stale_lock_says_what_is_wanted_now() -> None:
    lock = Lock().with_set(a_set(package("nginx"), install=("nginx", "vim")))
    with pytest.raises(HoldfastError) as caught:
        lock.find(TRIXIE, Packages(install=("nginx", "curl")), system="web")
    assert caught.value.brief == "holdfast.lock does not cover the system 'web'"
    assert "Wanted now, not when it was locked: curl" in caught.value.details
    assert "Wanted when it was locked, not now: vim" in caught.value.details
    assert caught.value.resolution == "Run `holdfast lock`."


def test_a_lock_without_the_release_says_so() -> None:
    with pytest.raises(HoldfastError) as caught:
        Lock().find(TRIXIE, Packages(), system="web")
    assert "Nothing is locked for debian trixie (amd64)." in caught.value.details


def test_a_newer_lock_is_refused_by_version(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.lock"
    path.write_text(json.dumps({"version": VERSION + 1, "unheard_of": True}))
    with pytest.raises(HoldfastError) as caught:
        read_lock(path)
    assert str(caught.value).startswith(
        f"{path} has version {VERSION + 1}; this holdfast reads up to {VERSION}"
    )
    assert "Upgrade holdfast" in caught.value.resolution


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<<<<<<< HEAD\n", "it is not valid JSON"),
        ("[" * 100_000, "it is not valid JSON"),
        ("[]", "lock must be an object"),
        ('{"sets": {"x": 1}}', "lock.sets.x must be an object"),
    ],
)
def test_a_corrupted_lock_names_file_reason_and_way_out(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "holdfast.lock"
    path.write_text(text)
    with pytest.raises(HoldfastError) as caught:
        read_lock(path)
    assert caught.value.brief.startswith(f"{path} is corrupted: ")
    assert reason in caught.value.brief
    assert "holdfast lock" in caught.value.resolution


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sha256": "sha256:12"}, "package nginx: sha256: 'sha256:12' is not a SHA-256 digest"),
        ({"sha256": "0" * 64}, "is not a SHA-256 digest"),
        ({"path": "../../etc/passwd"}, "package nginx has an impossible path or size"),
        ({"path": "/etc/passwd"}, "package nginx has an impossible path or size"),
        ({"size": -1}, "package nginx has an impossible path or size"),
        ({"size": "5"}, "size must be an integer"),
        ({"color": "red"}, "has an unknown field 'color'"),
    ],
)
def test_an_impossible_package_is_corruption(change: dict[str, object], reason: str) -> None:
    data = document()
    (package_set,) = data["sets"].values()  # type: ignore[attr-defined]
    package_set["packages"][0].update(change)
    with pytest.raises(HoldfastError) as caught:
        parse_lock(json.dumps(data).encode())
    assert reason in caught.value.brief


def test_a_request_changed_by_hand_is_corruption() -> None:
    data = document()
    (package_set,) = data["sets"].values()  # type: ignore[attr-defined]
    package_set["request"]["install"] = ["apache2"]
    with pytest.raises(HoldfastError, match="is not the digest of its request"):
        parse_lock(json.dumps(data).encode())


def test_a_lock_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "holdfast.lock").mkdir()
    with pytest.raises(HoldfastError, match="cannot read the lock: Is a directory"):
        read_lock(tmp_path / "holdfast.lock")


def test_the_epoch_is_the_newest_release_date() -> None:
    made = a_set()
    newer = replace(made.sources[0], date=1_800_000_000)
    assert replace(made, sources=(newer, *made.sources)).epoch == 1_800_000_000


def test_the_nearest_set_is_of_the_same_release() -> None:
    near = a_set(install=("nginx", "curl"))
    far = a_set(install=("postgresql",))
    other = replace(near, distribution=replace(TRIXIE, release="sid"))
    lock = Lock().with_set(far).with_set(near).with_set(other)
    assert lock.nearest(TRIXIE, Packages(install=("nginx", "curl", "vim"))) == near
    assert lock.nearest(replace(TRIXIE, architecture="arm64"), Packages()) is None


def test_differences_name_what_happened() -> None:
    before = a_set(
        package("gone"), package("up"), package("down", "2.0"), package("same"), package("moved", architecture="all"),
        package("again"),
    )  # fmt: skip
    after = a_set(
        package("new"), package("up", "1.1"), package("down", "1.9"), package("same"), package("moved", "1.1"),
        package("again", sha256=OTHER),
    )  # fmt: skip
    assert diff(before, after, older=older) == (
        Change("rebuilt", "again", "1.0", "1.0"),
        Change("downgraded", "down", "2.0", "1.9"),
        Change("removed", "gone", "1.0", None),
        Change("upgraded", "moved", "1.0", "1.1"),
        Change("added", "new", None, "1.0"),
        Change("upgraded", "up", "1.0", "1.1"),
    )


@at_most(20)
@given(st.dictionaries(st.text(min_size=1, max_size=5), st.integers(100, 999), max_size=4))
def test_ids_survive(users: dict[str, int]) -> None:
    lock = Lock().with_set(replace(a_set(), ids=Ids(users, {})))
    assert parse_lock(json.dumps(encode(lock)).encode()) == lock
