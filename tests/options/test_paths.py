"""Option paths: tuples inside, quoted on the command line."""

from __future__ import annotations

import pytest

from holdfast.options import format_path, parse_path
from holdfast.options.paths import suggest
from tests.options.samples import told

CASES = [
    (("nginx", "enable"), "nginx.enable"),
    (("files", "/etc/nginx/nginx.conf", "text"), 'files."/etc/nginx/nginx.conf".text'),
    (("a", 'quo"te\\', "b"), r'a."quo\"te\\".b'),
    (("a", "", "b"), 'a."".b'),
    (("systemd", "services", "getty@tty1"), "systemd.services.getty@tty1"),
    (("a", "two\nlines"), r'a."two\nlines"'),
]


@pytest.mark.parametrize(("path", "text"), CASES)
def test_both_ways(path: tuple[str, ...], text: str) -> None:
    assert format_path(path) == text
    assert parse_path(text) == path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("a..b", "empty at column 3"),
        ('a."b', "never closed"),
        ('a."b"c', "after a quoted segment"),
        ("a.", "empty"),
    ],
)
def test_what_is_no_path(text: str, why: str) -> None:
    message = told(lambda: parse_path(text))
    assert why in message and "Quote segments" in message


def test_suggestions() -> None:
    assert suggest("ngnix", ["nginx", "other"]) == "Did you mean `nginx`?"
    assert suggest("zzz", ["b", "a"]) == "There is `a`, `b`."
    assert suggest("zzz", []) == ""
    assert suggest("zzz", [f"o{number}" for number in range(20)]).endswith("and 8 more.")
