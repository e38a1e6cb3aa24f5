"""Choosing packages with the machine's real apt, from small indexes."""

from __future__ import annotations

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.distro.debian.indexes import fetch_indexes, read_release
from holdfast.distro.debian.packages import essential_packages, nearest_names, parse_record
from holdfast.distro.debian.solve import Apt, Index, parse_simulation, solve
from holdfast.distro.lockfile import LockedPackage
from holdfast.manifest.model import Distribution, Packages
from holdfast.store import Store
from tests.distro.debian.archives import Repository

TRIXIE = Distribution("debian", "trixie", "amd64")
pytestmark = pytest.mark.slow  # each asks the real apt


class World:
    """A repository, and apt's answer to a request of it."""

    def __init__(self, store: Store, repository: Repository) -> None:
        self.store, self.repository = store, repository
        repository.root.mkdir()
        repository.offer("base", Essential="yes")
        repository.offer("web", Depends="lib (>= 1)", Recommends="docs", Conflicts="other-web")
        repository.offer("lib")
        repository.offer("docs")
        repository.offer("other-web")
        repository.offer("lib", Version="2.0")

    def solve(
        self, *install: str, pinned: dict[str, str] | None = None, **options: object
    ) -> dict[str, LockedPackage]:
        self.repository.publish()
        source = self.repository.source(f"file://{self.repository.root}")
        (locked,) = fetch_indexes(self.store, TRIXIE, (source,))
        release = read_release(self.store, locked, key=source.key)
        found = solve(
            self.store,
            Apt(),
            [Index(locked, "main", locked.indexes["main"], release)],
            architecture="amd64",
            base=(),
            request=Packages(install=install, **options),  # type: ignore[arg-type]
            pinned=pinned or {},
        )
        return {package.name: package for package in found}


@pytest.fixture
def world(store: Store, repository: Repository) -> World:
    return World(store, repository)


def test_the_closed_set_with_what_is_essential(world: World) -> None:
    found = world.solve("web")
    assert list(found) == ["base", "lib", "web"]
    assert [package.name for package in found.values() if package.automatic] == ["lib"]
    lib = found["lib"]
    assert (lib.version, lib.archive, lib.path) == ("2.0", "test", "pool/lib_2.0_all.deb")
    assert lib.size == (world.repository.root / lib.path).stat().st_size


def test_recommendations_are_a_choice(world: World) -> None:
    assert "docs" in world.solve("web", recommends=True)


def test_pinned_versions_are_kept_while_they_exist(world: World) -> None:
    assert world.solve("web", pinned={"lib": "1.0"})["lib"].version == "1.0"
    assert world.solve("web", pinned={"lib": "0.1"})["lib"].version == "2.0"


def test_a_missing_package_names_the_nearest(world: World) -> None:
    with pytest.raises(HoldfastError) as caught:
        world.solve("other-wbe", "zzz")
    assert caught.value.brief == "no source has the packages other-wbe, zzz"
    assert caught.value.details == "other-wbe: did you mean other-web?\nzzz: nothing is named like that"


def test_a_conflict_is_told_in_apts_words(world: World) -> None:
    with pytest.raises(HoldfastError) as caught:
        world.solve("web", "other-web")
    assert caught.value.brief == "apt cannot choose packages for this request"
    assert "web : Conflicts: other-web" in caught.value.details


def test_an_unmet_dependency_is_told_in_apts_words(world: World) -> None:
    world.repository.offer("broken", Depends="missing-thing")
    with pytest.raises(HoldfastError) as caught:
        world.solve("broken")
    assert "missing-thing but it is not installable" in caught.value.details


def test_an_unwanted_package_is_left_out(world: World) -> None:
    world.repository.offer("choice", Depends="docs | other-web")
    assert "docs" in world.solve("choice")
    found = world.solve("choice", remove=("docs",))
    assert "docs" not in found and "other-web" in found


@pytest.mark.parametrize("name", ["-o=Dir=/", "../x", "~nweb", "web lib", "", "Web", "-", "web-", "lib+"])
def test_what_apt_might_take_for_something_else_is_refused(world: World, name: str) -> None:
    with pytest.raises(HoldfastError, match=r"is no package name|no source has the package"):
        world.solve(name)


def test_a_broken_entry_names_the_package(world: World) -> None:
    with pytest.raises(HoldfastError, match=r"unusable entry for 'x': no field 'size'"):
        parse_record("Package: x\nVersion: 1\nArchitecture: all\nFilename: pool/x.deb\n")
    with pytest.raises(HoldfastError, match="leaves the archive"):
        parse_record("Package: x\nVersion: 1\nArchitecture: all\nFilename: ../x.deb\nSize: 1\n")


def test_simulations_are_read() -> None:
    output = (
        "Inst libc6 (2.41-12 Debian:13.7/stable [amd64]) []\n"
        "Inst base-files (13.8 Debian:13.7/stable, Debian-Security:13/stable-security [all])\n"
        "Inst zlib1g:amd64 (1:1.3 localhost [amd64])\nConf libc6 (2.41-12 Debian:13.7/stable [amd64])\nRemv x [1]\n"
    )
    assert parse_simulation(output) == (
        ("libc6", "2.41-12", "amd64"),
        ("base-files", "13.8", "all"),
        ("zlib1g", "1:1.3", "amd64"),
    )


def test_essential_packages_and_near_names() -> None:
    index = (
        b"Package: b\nEssential: yes\n\nPackage: a\nEssential: no\n\nSource: x\nPackage: c\nEssential: yes\n"
    )
    assert essential_packages(index) == ("b", "c")
    names = b"\n\n".join(b"Package: " + name for name in (b"nginx", b"nginx-light", b"apache2", b"curl"))
    assert nearest_names([names], "ngnix") == ["nginx"]
    assert nearest_names([names], "CURL") == ["curl"]
