"""Locks that are stale, damaged or of another time, and packages that are not what they should be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.distro.lockfile import Ids, Lock, LockedPackage, LockedSource, PackageSet, write_lock
from holdfast.manifest.model import Distribution, Packages
from tests.cli.projects import CommandLine, write_project


def lock_for(directory: Path, *install: str, sha256: str = "none") -> Path:
    """A well-formed lock that asks for ``install`` on trixie and has one package that does not exist."""
    path = directory / "holdfast.lock"
    package = LockedPackage(
        "nothing",
        "1",
        "all",
        "debian",
        "pool/main/n/nothing/nothing_1_all.deb",
        1,
        digest_bytes(sha256.encode()),
    )
    source = LockedSource("debian", "trixie", 1, digest_bytes(b""), {"main": digest_bytes(b"")})
    package_set = PackageSet(
        Distribution("debian", "trixie", "amd64"),
        Packages(install=install),
        (source,),
        (package,),
        "apt 3",
        Ids(),
    )
    write_lock(path, Lock().with_set(package_set))
    return path


def test_a_stale_lock_says_how_and_names_the_command(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Packages].install = ["nginx-light"]')
    lock = lock_for(tmp_path, "curl")
    before = lock.read_bytes()
    told = holdfast.fails("build")
    assert "holdfast.lock does not cover the system 'web'" in told
    assert "Wanted now, not when it was locked: nginx-light" in told
    assert "Wanted when it was locked, not now: curl" in told
    assert "holdfast lock" in told
    assert lock.read_bytes() == before


def test_a_stale_release_is_told(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "", release="bookworm")
    lock_for(tmp_path)
    told = holdfast.fails("build")
    assert "Nothing is locked for debian bookworm" in told


@pytest.mark.parametrize("command", ["lock", "build"])
def test_a_corrupted_lock(holdfast: CommandLine, tmp_path: Path, command: str) -> None:
    write_project(tmp_path, "")
    (tmp_path / "holdfast.lock").write_text('{"version": 1, "sets": {"x"')
    told = holdfast.fails(command)
    assert "holdfast.lock is corrupted: it is not valid JSON" in told
    assert "version control" in told


def test_a_lock_with_a_field_changed_by_hand(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "")
    path = lock_for(tmp_path)
    document = json.loads(path.read_text())
    next(iter(document["sets"].values()))["packages"][0]["size"] = "large"
    path.write_text(json.dumps(document))
    told = holdfast.fails("build")
    assert "packages[0].size must be an integer" in told


def test_a_lock_with_a_merge_conflict(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "")
    path = lock_for(tmp_path)
    path.write_text("<<<<<<< HEAD\n" + path.read_text())
    assert "is corrupted" in holdfast.fails("lock")


@pytest.mark.parametrize("command", ["lock", "build"])
def test_a_lock_of_a_newer_version(holdfast: CommandLine, tmp_path: Path, command: str) -> None:
    write_project(tmp_path, "")
    (tmp_path / "holdfast.lock").write_text('{"version": 99, "sets": {}}')
    told = holdfast.fails(command)
    assert "has version 99" in told
    assert "Upgrade holdfast" in told


def test_security_alone_is_wrong_usage(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, "")
    assert holdfast("lock", "--security") == 2
    assert "--update --security" in holdfast.err


@pytest.mark.slow
def test_a_mirror_that_is_down(
    holdfast: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_MIRROR_DEBIAN", "http://127.0.0.1:9/debian")
    write_project(tmp_path, "")
    told = holdfast.fails("lock")
    assert "http://127.0.0.1:9/debian" in told
    assert "efused" in told
    assert "Wanted by web on debian trixie" in told


@pytest.mark.network
@pytest.mark.system
def test_a_missing_package_is_named(holdfast: CommandLine, tmp_path: Path) -> None:
    write_project(tmp_path, 'm[Packages].install = ["nginx-lihgt"]')
    told = holdfast.fails("lock")
    assert "nginx-lihgt" in told
    assert "Wanted by web on debian trixie (amd64)" in told
    assert not (tmp_path / "holdfast.lock").exists()


@pytest.mark.network
@pytest.mark.system
def test_an_unknown_suite_is_named(holdfast: CommandLine, tmp_path: Path) -> None:
    path = write_project(tmp_path, "")
    text = path.read_text().replace(
        'Debian("trixie")', 'Debian("trixie", sources=[Source("debian", "trixi-updates", ("main",))])'
    )
    path.write_text(text.replace("\n\ndef", "\nfrom holdfast.manifest.model import Source\n\n\ndef", 1))
    told = holdfast.fails("lock")
    assert "trixi-updates" in told
    assert "debian" in told


@pytest.mark.network
@pytest.mark.system
def test_a_package_that_is_not_what_the_lock_says(holdfast: CommandLine, tmp_path: Path) -> None:
    """The lock names a real file of the pool, with a digest that it has not."""
    write_project(tmp_path, "")
    path = tmp_path / "holdfast.lock"
    assert holdfast("lock") == 0, holdfast.err
    document = json.loads(path.read_text())
    package = next(iter(document["sets"].values()))["packages"][0]
    package["sha256"] = digest_bytes(b"something else")
    path.write_text(json.dumps(document))
    told = holdfast.fails("build")
    assert package["name"] in told
    assert "sha256" in told.lower() or "digest" in told.lower()
