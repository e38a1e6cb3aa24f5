from __future__ import annotations

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.distro.debian.mirrors import AptSource, choose_mirror
from holdfast.distro.debian.releases import (
    ARCHIVES,
    CGROUP_TAGS,
    INIT_TAGS,
    RELEASES,
    UBUNTU_RELEASES,
    Release,
    default_sources,
    find_release,
    main_archive,
)
from holdfast.library.system import DEBIAN, UBUNTU
from holdfast.manifest.model import Distribution

EVERY = (*RELEASES.values(), *UBUNTU_RELEASES.values())


@pytest.mark.parametrize("row", EVERY, ids=lambda row: row.name)
def test_every_row_is_consistent(row: Release) -> None:
    assert len([tag for tag in row.tags if tag in CGROUP_TAGS]) == 1
    assert len([tag for tag in row.tags if tag in INIT_TAGS]) == 1
    assert len(set(row.tags)) == len(row.tags)
    assert row.name in row.tags
    assert row.components
    assert row.suites[0].archive == row.tags[0] and row.suites[0].name == row.name
    assert len({(suite.archive, suite.name) for suite in row.suites}) == len(row.suites)
    assert all(suite.archive in ARCHIVES for suite in row.suites)
    assert all(path.startswith("/") and ".." not in path for path in (*row.scrub, *row.emptied))
    assert all("/" not in name for name in row.merged_usr_links)
    assert "/etc/machine-id" in row.emptied and "/etc/machine-id" not in row.scrub


def test_a_release_is_told_by_its_own_tag() -> None:
    for row in EVERY:
        assert [other.name for other in EVERY if row.name in other.tags] == [row.name]


def test_archives_have_their_own_variables_and_no_slash_at_the_end() -> None:
    assert len({row.environment for row in ARCHIVES.values()}) == len(ARCHIVES)
    assert not any(row.primary.endswith("/") for row in ARCHIVES.values())


def test_an_unknown_release_names_the_nearest_and_all() -> None:
    with pytest.raises(HoldfastError) as caught:
        find_release("trixy")
    assert caught.value.brief == "unknown release of Debian or Ubuntu 'trixy'; did you mean 'trixie'?"
    assert caught.value.resolution == (
        "Known: bookworm, trixie, forky, sid, jammy, noble, plucky, questing, resolute."
    )


def test_ages_are_checked_for_releases_that_are_supported() -> None:
    assert all(source.check_valid_until for source in default_sources(find_release("trixie"), "amd64"))
    assert not any(source.check_valid_until for source in default_sources(find_release("sid"), "amd64"))


def test_definitions_may_name_exactly_these_releases() -> None:
    assert tuple(RELEASES) == DEBIAN
    assert tuple(UBUNTU_RELEASES) == UBUNTU


def test_ubuntu_has_archives_of_its_own_and_another_for_ports() -> None:
    noble = find_release("noble")
    assert [(source.archive, source.suite) for source in default_sources(noble, "amd64")] == [
        ("ubuntu", "noble"),
        ("ubuntu", "noble-updates"),
        ("ubuntu-security", "noble-security"),
    ]
    assert {source.archive for source in default_sources(noble, "arm64")} == {"ubuntu-ports"}
    assert {source.components for source in default_sources(noble, "arm64")} == {("main", "universe")}
    assert main_archive(Distribution("debian", "noble", "arm64")) == "ubuntu-ports"
    assert main_archive(Distribution("debian", "trixie", "arm64")) == "debian"


def test_mirrors_of_ubuntu() -> None:
    distribution = Distribution("debian", "noble", "amd64", mirror="http://mirror.example.org/ubuntu")
    main, _, security = default_sources(find_release("noble"), "amd64")
    assert choose_mirror(main, distribution, environment={}, machine=()).url == distribution.mirror
    assert choose_mirror(security, distribution, environment={}, machine=()).origin == "the built-in table"
    plain = Distribution("debian", "noble", "amd64")
    mine = (
        AptSource("http://deb.example.org/debian", "trixie", ("main",), {}, "/debian"),
        AptSource("http://de.example.org/ubuntu", "noble-security", ("main",), {}, "/security"),
        AptSource("http://de.example.org/ubuntu/", "noble", ("main",), {}, "/main"),
        AptSource("http://ports.example.org/ubuntu-ports", "noble", ("main",), {}, "/ports"),
    )
    found = [choose_mirror(source, plain, environment={}, machine=mine).origin for source in (main, security)]
    assert found == ["this machine's /main", "this machine's /security"]
    (arm, *_) = default_sources(find_release("noble"), "arm64")
    assert choose_mirror(arm, plain, environment={}, machine=mine).origin == "this machine's /ports"
