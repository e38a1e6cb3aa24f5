from __future__ import annotations

import pytest

from holdfast.library.paths import check_managed_path, check_path, parents


@pytest.mark.parametrize("path", ["/etc/motd", "/", "/a b/ü", "/..a/b.."])
def test_one_spelling_is_accepted(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("etc/motd", "begin it with /"),
        ("//etc/motd", "write '/etc/motd'"),
        ("/etc//motd/", "write '/etc/motd'"),
        ("/etc/./motd", "write '/etc/motd'"),
        ("/etc/../motd", "'..'"),
        ("/etc/a\nb", "line break"),
        ("", "not absolute"),
    ],
)
def test_every_other_is_refused_with_the_one_to_write(path: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_path(path)


@pytest.mark.parametrize("path", ["/", "/proc/sys/kernel", "/dev", "/sys/x"])
def test_the_kernels_places_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="belongs to the kernel"):
        check_managed_path(path)


def test_parents_nearest_first() -> None:
    assert list(parents("/a/b/c")) == ["/a/b", "/a"]
