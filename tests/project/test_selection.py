from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.project.selection import Choice, Selector, choose, find_file, parse_selector

SYSTEMS = [
    Choice("web1", frozenset({"web", "eu"})),
    Choice("web2", frozenset({"web"})),
    Choice("database", frozenset()),
]


@pytest.mark.parametrize(
    ("text", "file", "pattern"),
    [
        ("", None, ""),
        ("web", None, "web"),
        ("web*", None, "web*"),
        ("tag:web", None, "tag:web"),
        ("examples/web/systems.py:web", "examples/web/systems.py", "web"),
        ("examples/web:web", "examples/web", "web"),
        ("fleet.py:tag:web", "fleet.py", "tag:web"),
        ("fleet.py:", "fleet.py", ""),
        ("fleet.py", "fleet.py", ""),
        ("examples/web/", "examples/web", ""),
        (".", ".", ""),
    ],
)
def test_selectors_parse(text: str, file: str | None, pattern: str) -> None:
    assert parse_selector(text) == Selector(None if file is None else Path(file), pattern)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ("web1", "web2", "database")),
        ("web*", ("web1", "web2")),
        ("database", ("database",)),
        ("tag:eu", ("web1",)),
        ("tag:web", ("web1", "web2")),
    ],
)
def test_choosing(pattern: str, names: tuple[str, ...]) -> None:
    assert choose(pattern, SYSTEMS, file="systems.py") == names


def test_unknown_name_suggests_and_lists() -> None:
    with pytest.raises(HoldfastError) as caught:
        choose("databsae", SYSTEMS, file="systems.py")
    assert caught.value.brief == "systems.py has no system 'databsae'"
    assert "web1, web2, database" in caught.value.details
    assert "Did you mean 'database'?" in caught.value.resolution


def test_unknown_tag_lists_tags() -> None:
    with pytest.raises(HoldfastError) as caught:
        choose("tag:we", SYSTEMS, file="systems.py")
    assert "eu, web" in caught.value.details
    assert "'web'" in caught.value.resolution


def test_no_systems_at_all() -> None:
    with pytest.raises(HoldfastError, match="defines no systems"):
        choose("", [], file="systems.py")


def test_the_nearest_file_upwards_is_found(tmp_path: Path) -> None:
    (tmp_path / "systems.py").touch()
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_file(parse_selector("web"), below) == tmp_path / "systems.py"
    (tmp_path / "a" / "systems.py").touch()
    assert find_file(parse_selector("web"), below) == tmp_path / "a" / "systems.py"


def test_a_directory_means_its_systems_py(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "systems.py").touch()
    assert find_file(parse_selector("web:x"), tmp_path) == tmp_path / "web" / "systems.py"


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match=r"there is no file .*nowhere\.py"):
        find_file(parse_selector("nowhere.py:web"), tmp_path)


def test_a_file_that_cannot_be_looked_for_is_told(tmp_path: Path) -> None:
    """Such as one in somebody else's home; here a name that is too long, which the kernel refuses to root too."""
    with pytest.raises(HoldfastError, match=r"cannot look for .*xxx: File name too long"):
        find_file(parse_selector("x" * 300 + ":web"), tmp_path)
    with pytest.raises(HoldfastError, match=r"cannot look for systems\.py in .*: File name too long"):
        find_file(parse_selector("web"), tmp_path / ("x" * 300))


def test_a_directory_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(HoldfastError, match="cannot tell which directory this is: No such file"):
        find_file(parse_selector("web"), None)
