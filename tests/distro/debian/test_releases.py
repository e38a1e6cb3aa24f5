from __future__ import annotations

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.distro.debian.releases import (
    ARCHIVES,
    CGROUP_TAGS,
    INIT_TAGS,
    RELEASES,
    Release,
    default_sources,
    find_release,
)


@pytest.mark.parametrize("row", RELEASES.values(), ids=lambda row: row.name)
def test_every_row_is_consistent(row: Release) -> None:
    assert len([tag for tag in row.tags if tag in CGROUP_TAGS]) == 1
    assert len([tag for tag in row.tags if tag in INIT_TAGS]) == 1
    assert len(set(row.tags)) == len(row.tags)
    assert row.name in row.tags
    assert row.components
    assert row.suites[0].archive == "debian" and row.suites[0].name == row.name
    assert len({(suite.archive, suite.name) for suite in row.suites}) == len(row.suites)
    assert all(suite.archive in ARCHIVES for suite in row.suites)
    assert all(path.startswith("/") and ".." not in path for path in (*row.scrub, *row.emptied))
    assert all("/" not in name for name in row.merged_usr_links)
    assert "/etc/machine-id" in row.emptied and "/etc/machine-id" not in row.scrub


def test_a_release_is_told_by_its_own_tag() -> None:
    for row in RELEASES.values():
        assert [other.name for other in RELEASES.values() if row.name in other.tags] == [row.name]


def test_archives_have_their_own_variables_and_no_slash_at_the_end() -> None:
    assert len({row.environment for row in ARCHIVES.values()}) == len(ARCHIVES)
    assert not any(row.primary.endswith("/") for row in ARCHIVES.values())


def test_an_unknown_release_names_the_nearest_and_all() -> None:
    with pytest.raises(HoldfastError) as caught:
        find_release("trixy")
    assert caught.value.brief == "unknown Debian release 'trixy'; did you mean 'trixie'?"
    assert caught.value.resolution == "Known: bookworm, trixie, forky, sid."


def test_ages_are_checked_for_releases_that_are_supported() -> None:
    assert all(source.check_valid_until for source in default_sources(find_release("trixie")))
    assert not any(source.check_valid_until for source in default_sources(find_release("sid")))
