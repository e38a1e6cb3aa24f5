from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from holdfast.base.process import run
from holdfast.library.rendering.tmpfiles import render_tmpfiles


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (render_tmpfiles("d", "/var/lib/x"), "d /var/lib/x"),
        (render_tmpfiles("d", "/var/lib/x", mode="0750", user="www-data"), "d /var/lib/x 0750 www-data"),
        (render_tmpfiles("e", "/var/cache/x", age="10d"), "e /var/cache/x - - - 10d"),
        (render_tmpfiles("L+", "/etc/a b", argument="../x"), 'L+ "/etc/a b" - - - - ../x'),
        (render_tmpfiles("f", "/run/x", argument=" a\nb\\c"), "f /run/x - - - - \\x20a\\nb\\\\c"),
    ],
)
def test_golden(line: str, expected: str) -> None:
    assert line == expected


@pytest.mark.parametrize(
    ("kind", "mode", "age", "message"),
    [("dd", None, None, "not a type"), ("d", "rwx", None, "not octal"), ("d", None, "soon", "not an age")],
)
def test_bad_fields_are_refused(kind: str, mode: str | None, age: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_tmpfiles(kind, "/x", mode=mode, age=age)


@pytest.mark.skipif(shutil.which("systemd-tmpfiles") is None, reason="systemd-tmpfiles is not installed")
def test_systemd_tmpfiles_writes_what_was_meant(tmp_path: Path) -> None:
    rules = [
        render_tmpfiles("d", "/a dir", mode="0751"),
        render_tmpfiles("f", "/a dir/f", argument=' one\n"two" \\ 100%%  '),
        render_tmpfiles("L", "/link", argument="a dir/f"),
    ]
    config = tmp_path / "test.conf"
    config.write_text("\n".join(rules) + "\n")
    root = tmp_path / "root"
    root.mkdir()
    run(["systemd-tmpfiles", f"--root={root}", "--create", str(config)])
    assert (root / "link").read_text() == ' one\n"two" \\ 100%  '
    assert (root / "a dir").stat().st_mode & 0o7777 == 0o751
