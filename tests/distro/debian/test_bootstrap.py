"""Whole systems: bootstrapped twice to the same bytes, offline, with scripts that fail and ids that are pinned."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.base.digests import hex_of
from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.distro.debian.bootstrap import prune_package_cache, unpack_all
from holdfast.distro.debian.releases import RELEASES, find_release
from holdfast.distro.family import Bootstrapped, family
from holdfast.distro.lockfile import Ids, LockedPackage, PackageSet
from holdfast.sandbox import Root, Sandbox, Scratch
from holdfast.sandbox import run as run_inside
from holdfast.store import Store
from tests.distro.debian.archives import directory, make_deb, member

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

Resolve = Callable[..., PackageSet]
Bootstrap = Callable[..., Bootstrapped]


def carry_over(source: Store, target: Store, package_set: PackageSet) -> None:
    """The set's packages, and nothing else, into another store."""
    for package in package_set.packages:
        target.blobs.put_file(source.blobs.path(package.sha256))


def with_package(store: Store, package_set: PackageSet, name: str, deb: bytes) -> PackageSet:
    digest = store.blobs.put_bytes(deb)
    extra = LockedPackage(name, "1.0", "all", "debian", f"pool/{name}.deb", len(deb), digest)
    return replace(package_set, packages=(*package_set.packages, extra))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "HOLDFAST_MIRROR_DEBIAN",
        "HOLDFAST_MIRROR_DEBIAN_SECURITY",
        "HOLDFAST_SNAPSHOT",
        "http_proxy",
        "https_proxy",
    ):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


@pytest.mark.parametrize("release", list(RELEASES))
def test_a_release_is_complete(release: str, package_set: Resolve, bootstrapped: Bootstrap) -> None:
    tree, wanted = bootstrapped(release).tree, package_set(release)
    debian = family(wanted.distribution)
    assert debian.installed(tree) == {package.name: package.version for package in wanted.packages}
    assert run(["dpkg", f"--root={tree}", "--audit"]).stdout == b""
    assert run(["dpkg", f"--root={tree}", "--verify"]).stdout == b""
    assert (tree / "etc/machine-id").read_bytes() == b""
    assert (tree / "sbin").readlink() == Path("usr/sbin")
    assert (tree / "usr/sbin/init").is_symlink()
    assert not (tree / "usr/sbin/policy-rc.d").exists()
    assert list((tree / "run").iterdir()) == list((tree / "tmp").iterdir()) == []
    assert not [path for pattern in find_release(release).scrub for path in tree.glob(pattern[1:])]
    inside = Sandbox(Root((tree,), upper=Scratch()))
    manual = run_inside(inside, ["apt-mark", "showmanual"]).text.split()
    assert "systemd" in manual and "libsystemd0" not in manual
    assert run_inside(inside, ["apt-get", "check"]).returncode == 0


def cached_files(store: Store) -> dict[str, tuple[int, int, int, int, int]]:
    """Everything in the package cache, with what a script might have changed about it."""
    found: dict[str, tuple[int, int, int, int, int]] = {}
    for path in (store.root / "packages").rglob("*"):
        status = path.lstat()
        if not path.is_dir():
            found[str(path)] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                status.st_mtime_ns,
                status.st_size,
            )
    return found


@pytest.mark.usefixtures("no_network")
def test_an_empty_store_without_a_network_makes_the_same_bytes(
    store: Store, shared_store: Store, package_set: Resolve, bootstrapped: Bootstrap
) -> None:
    wanted = package_set("trixie")
    carry_over(shared_store, store, wanted)
    unpack_all(store, wanted.packages)
    before = cached_files(store)
    made = family(wanted.distribution).bootstrap(store, wanted)
    assert made.layer == bootstrapped("trixie").layer
    assert cached_files(store) == before, "scripts must not reach what other systems share"
    assert list((store.root / "tmp").iterdir()) == []
    again = family(wanted.distribution).bootstrap(store, wanted)
    assert again.tree == made.tree


@pytest.mark.usefixtures("no_network")
def test_a_package_that_is_neither_here_nor_there_is_named(
    store: Store, shared_store: Store, package_set: Resolve
) -> None:
    wanted = package_set("trixie")
    carry_over(shared_store, store, replace(wanted, packages=wanted.packages[1:]))
    with pytest.raises(HoldfastError) as caught:
        family(wanted.distribution).bootstrap(store, wanted)
    first = wanted.packages[0]
    assert caught.value.brief.startswith(f"cannot fetch the package {first.name} {first.version}: ")
    assert "HOLDFAST_MIRROR_DEBIAN" in caught.value.details


def test_a_failing_script_names_package_script_and_output(shared_store: Store, package_set: Resolve) -> None:
    for script in ("postinst", "preinst"):
        deb = make_deb("failing", control={script: "#!/bin/sh\necho the reason >&2\nexit 3\n"})
        wanted = with_package(shared_store, package_set("trixie"), "failing", deb)
        with pytest.raises(HoldfastError) as caught:
            family(wanted.distribution).bootstrap(shared_store, wanted)
        assert caught.value.brief.startswith("the package failing cannot be ")
        assert f"its {script} script fails" in caught.value.brief
        assert "the reason" in caught.value.details
        assert "libc6" not in caught.value.details


def test_a_package_that_moves_others_files_aside_is_left_to_dpkg(
    shared_store: Store, package_set: Resolve, bootstrapped: Bootstrap
) -> None:
    preinst = (
        "#!/bin/sh\ndpkg-divert --package diverting --rename --divert /usr/bin/tac.real --add /usr/bin/tac\n"
    )
    deb = make_deb(
        "diverting",
        data=[
            directory("./"),
            directory("./usr"),
            directory("./usr/bin"),
            member("./usr/bin/tac", b"ours\n"),
        ],
        control={"preinst": preinst},
    )
    bootstrapped("trixie")
    wanted = with_package(shared_store, package_set("trixie"), "diverting", deb)
    cache = shared_store.root / "packages"
    before = {path.name: path.stat().st_ctime_ns for path in cache.iterdir()}
    tree = family(wanted.distribution).bootstrap(shared_store, wanted).tree
    assert (tree / "usr/bin/tac").read_bytes() == b"ours\n"
    assert (tree / "usr/bin/tac.real").stat().st_size > 10_000
    assert run(["dpkg", f"--root={tree}", "--verify"]).stdout == b""
    after = {path.name: path.stat().st_ctime_ns for path in cache.iterdir()}
    assert {name: after[name] for name in before} == before, "only what is new is unpacked"


def test_pinned_ids_change_numbers_and_nothing_else(
    shared_store: Store, package_set: Resolve, bootstrapped: Bootstrap
) -> None:
    wanted = package_set("trixie")
    natural = bootstrapped("trixie").tree
    ids = wanted.ids
    moved = Ids(
        {name: 700 + number for number, name in enumerate(ids.users)},
        {name: 800 + number if number else 801 for name, number in ids.groups.items()}
        | {name: 800 + number for number, name in enumerate(ids.groups)},
    )
    tree = family(wanted.distribution).bootstrap(shared_store, replace(wanted, ids=moved)).tree

    def accounts(root: Path) -> list[list[str]]:
        lines = (root / "etc/passwd").read_text().splitlines()
        return [
            [field for number, field in enumerate(line.split(":")) if number not in (2, 3)] for line in lines
        ]

    assert accounts(tree) == accounts(natural)
    assert (tree / "etc/shadow").read_bytes() == (natural / "etc/shadow").read_bytes()
    helper = "usr/lib/dbus-1.0/dbus-daemon-launch-helper"
    assert (tree / helper).stat().st_gid == moved.groups["messagebus"]
    assert (tree / helper).stat().st_mode == (natural / helper).stat().st_mode
    paths = {str(path.relative_to(tree)) for path in tree.rglob("*")}
    assert paths == {str(path.relative_to(natural)) for path in natural.rglob("*")}


def test_an_account_that_nobody_pinned_fails_the_build(shared_store: Store, package_set: Resolve) -> None:
    wanted = package_set("trixie")
    with pytest.raises(HoldfastError, match=r"create accounts whose ids are not in the lock: .*messagebus"):
        family(wanted.distribution).bootstrap(shared_store, replace(wanted, ids=Ids()))


def test_a_damaged_cached_package_is_unpacked_again(
    store: Store, shared_store: Store, package_set: Resolve
) -> None:
    wanted = replace(package_set("trixie"), packages=package_set("trixie").packages[:3])
    carry_over(shared_store, store, wanted)
    (first, *_) = unpack_all(store, wanted.packages)
    victim = next(entry for entry in first.entries if entry.kind == "file" and entry.size)
    os.truncate(first.data(victim.path), 0)
    unpack_all(store, wanted.packages)
    assert first.data(victim.path).stat().st_size == victim.size
    store.blobs.path(wanted.packages[0].sha256).unlink()
    gone, *others = (hex_of(package.sha256) for package in wanted.packages)
    assert prune_package_cache(store, dry_run=True, going=[others[0]]) == tuple(sorted([gone, others[0]]))
    assert prune_package_cache(store) == (gone,)
    assert sorted(place.name for place in (store.root / "packages").iterdir()) == sorted(others)
    assert prune_package_cache(store, everything=True) == tuple(sorted(others))
