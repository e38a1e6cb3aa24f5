from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from holdfast.library.rendering.sudoers import (
    NOTICE,
    Rule,
    defaults_line,
    render_command,
    render_rule,
    render_sudoers,
)

FULL = render_sudoers(
    [
        Rule(
            "deploy",
            ["deploy"],
            ["ops"],
            [["/usr/bin/systemctl", "restart", "shop.service"], ["/usr/bin/id", ""]],
        ),
        Rule(
            "db", ["ada"], [], [["sudoedit", "/etc/motd"]], ["postgres", "#1000"], [], ["NOPASSWD", "NOEXEC"]
        ),
        Rule("odd", ["ada"], [], [["/usr/bin/x", "a=b,c:d", "*.[ch]?", "#1", "a b", "é"]]),
        Rule("all", [], ["admins"], []),
    ],
    defaults=[
        "timestamp_timeout=5",
        ":ada !authenticate",
        "!lecture",
        'env_keep += "A B"',
        "@web insults",
        "!/usr/bin/x noexec",
    ],
    wheel=False,
    extra="\nada ALL = NOPASSWD: /usr/bin/true\n\n",
)


def test_the_whole_file() -> None:
    assert (
        FULL
        == NOTICE
        + """\
Defaults timestamp_timeout=5
Defaults:ada !authenticate
Defaults !lecture
Defaults env_keep += "A B"
Defaults@web insults
Defaults!/usr/bin/x noexec
%sudo ALL=(ALL : ALL) NOPASSWD: ALL
# deploy
deploy, %ops ALL=(ALL : ALL) /usr/bin/systemctl restart shop.service
deploy, %ops ALL=(ALL : ALL) /usr/bin/id ""
# db
ada ALL=(postgres, #1000) NOPASSWD: NOEXEC: sudoedit /etc/motd
# odd
ada ALL=(ALL : ALL) /usr/bin/x a\\=b\\,c\\:d \\*.\\[ch\\]\\? \\#1 a b é
# all
%admins ALL=(ALL : ALL) ALL
ada ALL = NOPASSWD: /usr/bin/true
"""
    )


@pytest.mark.skipif(shutil.which("visudo") is None, reason="sudo is not installed")
def test_visudo_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "sudoers"
    file.write_text(FULL)
    file.chmod(0o440)
    subprocess.run(["visudo", "--check", "--strict", "--file", str(file)], check=True, capture_output=True)


def test_the_distribution_s_own_rule_is_left_alone_unless_asked() -> None:
    assert render_sudoers([]) == NOTICE
    assert "%sudo ALL=(ALL : ALL) ALL\n" in render_sudoers([], wheel=True)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["systemctl"], "absolute path"),
        (["/usr/bin/../sbin/x"], "absolute path"),
        (["/usr/bin/"], "absolute path"),
        (["sudoedit"], "files"),
        (["/bin/x", "a", ""], "stand alone"),
        (["/bin/x", "^a.*$"], "regular expression"),
        (["/bin/x", "a\\b"], "extra_config"),
        (["/bin/x", 'say "x"'], "extra_config"),
        (["/bin/x", "a\nALL"], "extra_config"),
    ],
)
def test_commands_that_sudoers_cannot_say(command: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        render_command(command)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule("a", [], [], []), "for nobody"),
        (Rule("a\nb", ["x"], [], []), "more than one line"),
        (Rule("a", ["x"], [], [], ["a b"]), "nobody to run as"),
        (Rule("a", ["x"], [], [], [], []), "run as nobody"),
    ],
)
def test_rules_that_sudoers_cannot_say(rule: Rule, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        render_rule(rule)


@pytest.mark.parametrize("line", ["", "  ", "a\nb", "a \\", "Defaults x"])
def test_settings_that_are_no_line(line: str) -> None:
    with pytest.raises(ValueError, match=r"setting|leave the word out"):
        defaults_line(line)
