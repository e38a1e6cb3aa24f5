"""What the repository must not contain: places of one machine, addresses of its indexes, secrets, build products."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.checkout import ROOT, SOURCE, shown, tracked_files

# Each pattern has a character class where it would otherwise match its own text.
FORBIDDEN = {
    "a home directory or workplace of one machine": re.compile(
        r"/[h]ome/(?!(NAME|x|you|user|alice|bob|deploy|web|hello|app|kiosk|operator|ann|ops|admin|reader)\b)[a-z]|/[w]ork/"
    ),
    "an index of Python packages": re.compile(
        r"[p]ypi\.|python[h]osted|index-[u]rl\s*[=:]|extra-[i]ndex|find-[l]inks\s*[=:/]"
    ),
    "a mirror other than Debian's own": re.compile(
        r"https?://(?!([\w-]+\.)*(debian\.org|example\.(org|com|net)))[\w.-]*(debian|mirror|ftp\.)[\w.-]*\.(org|net|com|de|io)/[d]ebian"
    ),
    "a private key": re.compile(r"BEGIN (RSA |EC |OPENSSH |PGP )?PRIVATE[ ]KEY"),
}
ALLOWED = {
    ("a home directory or workplace of one machine", "LICENSE"),
}
BINARY_SUFFIXES = {".gz", ".xz", ".zst", ".deb", ".gpg", ".png"}


def texts() -> list[tuple[Path, str]]:
    return [
        (path, path.read_text(errors="replace"))
        for path in tracked_files()
        if path.suffix not in BINARY_SUFFIXES
    ]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_names(what: str) -> None:
    guilty = [
        f"{shown(path)}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        if (what, shown(path)) not in ALLOWED
        for number, line in enumerate(text.splitlines(), 1)
        if FORBIDDEN[what].search(line)
    ]
    assert guilty == []


def test_the_patterns_can_find_something() -> None:
    planted = {
        "a home directory or workplace of one machine": "/ho" + "me/jane/project",
        "an index of Python packages": "--index-" + "url=https://packages.example/simple",
        "a mirror other than Debian's own": "https://" + "ftp.nowhere.org/debian",
        "a private key": "-----BEGIN OPENSSH " + "PRIVATE KEY-----",
    }
    assert {what for what, text in planted.items() if FORBIDDEN[what].search(text)} == set(FORBIDDEN)


def test_no_build_products_are_tracked() -> None:
    products = [
        p for p in tracked_files() if "__pycache__" in p.parts or p.suffix in {".pyc", ".so", ".egg-info"}
    ]
    assert products == []
    assert max(path.stat().st_size for path in tracked_files()) < 300_000


def test_every_source_file_says_what_it_is() -> None:
    silent = [
        shown(p) for p in SOURCE.rglob("*.py") if not p.read_text().lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_text_is_unix_text() -> None:
    guilty = [
        shown(path)
        for path, text in texts()
        if text and ("\r" in text or not text.endswith("\n")) and path.name != "py.typed"
    ]
    assert guilty == []


def test_licence_is_the_whole_apache_2_0() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
