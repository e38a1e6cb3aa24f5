"""Resolving, keeping, updating and fetching, from a small archive behind a real web server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.distro import download
from holdfast.distro.debian import ids, mirrors
from holdfast.distro.debian.family import DebianFamily, _Places, snapshot_moments, sources_of
from holdfast.distro.debian.releases import find_release
from holdfast.distro.family import Update
from holdfast.distro.lockfile import Ids, LockedPackage, LockedSource, PackageSet
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import Store
from tests.distro.debian.archives import Repository, Server, make_deb

pytestmark = pytest.mark.slow  # each asks the real apt several times

BASE = (*find_release("trixie").base, find_release("trixie").keyring)
LEARNED = Ids({"messagebus": 100}, {"messagebus": 101})


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.001)
    monkeypatch.setattr(mirrors, "_machine_settings", dict)
    # Running scripts needs a whole system: tests/distro/debian/test_bootstrap.py has one.
    monkeypatch.setattr(ids, "recall", lambda path: LEARNED)


class World:
    def __init__(self, store: Store, repository: Repository, server: Server) -> None:
        self.store, self.repository, self.server = store, repository, server
        source = repository.source(server.url)
        self.distribution = Distribution("debian", "trixie", "amd64", (replace(source, archive="debian"),))
        for name in (*BASE, "web", "lib", "extra"):
            repository.offer(name, Depends="lib") if name == "web" else repository.offer(name)
        self.family = DebianFamily()

    def resolve(
        self, *install: str, previous: PackageSet | None = None, update: Update = "nothing"
    ) -> PackageSet:
        self.repository.publish()
        return self.family.resolve(
            self.store, self.distribution, Packages(install=install), previous, update=update
        )


@pytest.fixture
def world(store: Store, repository: Repository, server: Server) -> World:
    return World(store, repository, server)


def versions(package_set: PackageSet) -> dict[str, str]:
    return {package.name: package.version for package in package_set.packages}


def test_a_set_is_complete_and_names_no_mirror(world: World) -> None:
    found = world.resolve("web")
    assert versions(found) == dict.fromkeys(sorted((*BASE, "web", "lib")), "1.0")
    assert found.resolver.startswith("apt ")
    assert found.ids == LEARNED
    assert [package.name for package in found.packages if package.automatic] == ["lib"]
    assert world.server.url not in repr((found.sources, found.packages))
    assert found.epoch == int(world.repository.date)


def test_what_is_locked_stays_until_an_update(world: World) -> None:
    first = world.resolve("web")
    world.repository.offer("lib", Version="2.0")
    world.repository.date += 60
    asked = len(world.server.requests)
    kept = world.resolve("web", "extra", previous=first)
    assert versions(kept)["lib"] == "1.0" and versions(kept)["extra"] == "1.0"
    assert kept.sources == first.sources
    assert len(world.server.requests) == asked, "the indexes of the lock are in the store"
    updated = world.resolve("web", previous=kept, update="everything")
    assert versions(updated)["lib"] == "2.0"
    assert updated.epoch == first.epoch + 60


def test_without_the_old_indexes_the_versions_are_kept_where_they_exist(world: World) -> None:
    first = world.resolve("web")
    for source in first.sources:
        for digest in source.indexes.values():
            world.store.blobs.path(digest).unlink()
    world.repository.offer("lib", Version="2.0")
    kept = world.resolve("web", "extra", previous=first)
    assert versions(kept)["lib"] == "1.0"


def test_a_security_update_leaves_other_sources_as_they_were(world: World) -> None:
    (main,) = world.distribution.sources
    world.distribution = replace(world.distribution, sources=(main, replace(main, archive="debian-security")))
    first = world.resolve("web")
    world.repository.offer("lib", Version="2.0")
    updated = world.resolve("web", previous=first, update="security")
    assert updated.sources[0] == first.sources[0]
    assert updated.sources[1].indexes != first.sources[1].indexes
    lib = next(package for package in updated.packages if package.name == "lib")
    assert (lib.version, lib.archive) == ("2.0", "debian-security")


def test_ids_of_the_previous_set_are_never_changed(world: World) -> None:
    first = world.resolve("web")
    previous = replace(first, ids=Ids({"messagebus": 555}, {"old": 777}))
    found = world.resolve("web", previous=previous, update="everything")
    assert found.ids.users == {"messagebus": 555}
    assert found.ids.groups == {"old": 777, "messagebus": 101}


def test_an_unknown_release_is_told_before_anything_is_fetched(world: World) -> None:
    world.distribution = replace(world.distribution, release="trixi")
    with pytest.raises(
        HoldfastError, match=r"unknown release of Debian or Ubuntu 'trixi'; did you mean 'trixie'\?"
    ):
        world.resolve("web")
    assert world.server.requests == []


def test_fetching_verifies_and_asks_once(world: World) -> None:
    found = world.resolve("web")
    world.family.fetch(world.store, found)
    assert all(world.store.blobs.has(package.sha256) for package in found.packages)
    asked = len(world.server.requests)
    world.family.fetch(world.store, found)
    assert len(world.server.requests) == asked


def test_a_package_gone_from_the_mirror_comes_from_the_snapshot_archive(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = world.resolve("web")
    gone = {path.name: path.read_bytes() for path in (world.repository.root / "pool").glob("lib_*")}
    for name in gone:
        (world.repository.root / "pool" / name).unlink()
    moments = snapshot_moments(found.epoch)

    def snapshot(path: str, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes] | None:
        prefix = f"/snapshot/debian/{moments[1]}/pool/"
        return (200, {}, gone[path.removeprefix(prefix)]) if path.startswith(prefix) else None

    world.server.answer = snapshot
    monkeypatch.setenv("HOLDFAST_SNAPSHOT", f"{world.server.url}/snapshot")
    world.family.fetch(world.store, found)
    assert all(world.store.blobs.has(package.sha256) for package in found.packages)
    asked = [path for path in world.server.requests if "lib_1.0" in path]
    assert asked == [
        "/pool/lib_1.0_all.deb",
        f"/snapshot/debian/{moments[0]}/pool/lib_1.0_all.deb",
        f"/snapshot/debian/{moments[1]}/pool/lib_1.0_all.deb",
    ]


def test_a_replaced_package_is_refused_with_both_hashes(world: World) -> None:
    found = world.resolve("web")
    path = world.repository.root / "pool/lib_1.0_all.deb"
    evil = path.read_bytes()[:-1] + b"!"
    path.write_bytes(evil)
    with pytest.raises(HoldfastError) as caught:
        world.family.fetch(world.store, found)
    assert caught.value.brief == "the package lib 1.0 from the mirror is not what the lock says"
    assert hashlib.sha256(evil).hexdigest() in caught.value.details
    assert f"{world.server.url}/pool/lib_1.0_all.deb (the definition)" in caught.value.details


def test_a_lock_of_other_sources_is_told_as_such(world: World) -> None:
    deb = make_deb("foreign")
    foreign = LockedPackage("foreign", "1.0", "all", "elsewhere", "pool/x.deb", len(deb), digest_bytes(deb))
    found = replace(world.resolve("web"), packages=(foreign,))
    with pytest.raises(HoldfastError, match="from the archive 'elsewhere', which no source names"):
        world.family.fetch(world.store, found)


def test_names_in_paths_are_quoted_for_the_web(world: World) -> None:
    source = LockedSource("debian", "stable", 0, Digest("sha256:" + "0" * 64), {})
    package = LockedPackage("g++", "1:2~3", "all", "debian", "pool/g++_1%3a2~3 .deb", 1, source.release)
    package_set = PackageSet(world.distribution, Packages(), (source,), (package,), "apt")
    (first, *_) = _Places(package_set).of(package)
    assert first.url == f"{world.server.url}/pool/g++_1%253a2~3%20.deb"


def test_repositories_of_the_request_come_after_the_distributions_own(world: World) -> None:
    (own,) = world.distribution.sources
    extra = replace(own, archive="extra")
    request = Packages(repositories={"b": extra, "a": replace(extra, archive="also")})
    assert [source.archive for source in sources_of(world.distribution, request)] == [
        "debian",
        "also",
        "extra",
    ]
    table = Distribution("debian", "trixie", "amd64")
    assert [source.suite for source in sources_of(table, Packages())] == [
        "trixie",
        "trixie-updates",
        "trixie-security",
    ]
