from __future__ import annotations

import os
import random
import re
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.base.process import run
from holdfast.library.rendering.command_lines import CommandLine, quote_argument, render_command
from tests.examples import at_most
from tests.library.rendering.systemd_model import expand_specifiers, parse_exec, split_words

NASTY = st.text(alphabet=st.sampled_from(list(" \t\n\r\x01\x7f%${}\\\"';#abc=-@:+!é€")), max_size=12)
TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ARGUMENTS = st.lists(NASTY | TEXT, max_size=5)
EXECUTABLE = st.text(alphabet=st.sampled_from(list("ab -%;é@")), min_size=1, max_size=8).map("/".__add__)


@at_most(80)
@given(executable=EXECUTABLE, arguments=ARGUMENTS, prefix=st.sampled_from(["", "-", "+", "!!", ":", "-:"]))
@example(executable="/bin/x", arguments=["", ";", "$HOME", "${A}", "%i", "a\\", "\n"], prefix="")
def test_systemd_reads_back_the_same_argv(executable: str, arguments: list[str], prefix: str) -> None:
    line = render_command([prefix + executable, *arguments])
    assert parse_exec(line) == (prefix, executable, [executable, *arguments])


@at_most(50)
@given(arguments=st.lists(NASTY, min_size=1, max_size=3))
def test_with_the_prefix_at_the_second_item_is_argv_0(arguments: list[str]) -> None:
    assert parse_exec(render_command(["@/bin/x", *arguments])) == ("@", "/bin/x", arguments)


@at_most(60)
@given(word=NASTY | TEXT)
def test_one_argument_stays_one_word(word: str) -> None:
    (back,) = split_words(quote_argument(word, substitutes=False))
    assert expand_specifiers(back) == word


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["/usr/bin/python3", "-m", "http.server", "8080"], "/usr/bin/python3 -m http.server 8080"),
        (["/bin/echo", "100%"], "/bin/echo 100%%"),
        (["/bin/sh", "-c", "echo $HOME"], '/bin/sh -c "echo $$HOME"'),
        ([":/bin/echo", "$HOME"], ":/bin/echo $HOME"),
        (["/bin/echo", ""], '/bin/echo ""'),
        (["/bin/echo", 'say "hi"'], '/bin/echo "say \\"hi\\""'),
        (["/bin/echo", "it's"], '/bin/echo "it\'s"'),
        (["/bin/echo", "a\nb"], '/bin/echo "a\\nb"'),
        (["/bin/echo", "\x1b"], '/bin/echo "\\x1b"'),
        (["/bin/echo", ";"], '/bin/echo ";"'),
        (["-/opt/my app/run", "x"], '"-/opt/my app/run" x'),
        (["sleep", "1"], "sleep 1"),
        (CommandLine("/usr/bin/demo --id=%i ${OPTS}"), "/usr/bin/demo --id=%i ${OPTS}"),
    ],
)
def test_golden(argv: list[str], line: str) -> None:
    assert render_command(argv) == line


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "a command is a list of arguments"),
        ("/bin/true", "a command is a list of arguments"),
        (["bin/true"], "neither an absolute path nor a bare file name"),
        ([""], "neither an absolute path"),
        (["/opt/$APP/run"], "contains \\$"),
        (["/opt/it's"], "a quote, backslash or control character"),
        (["/opt/a\nb"], "a quote, backslash or control character"),
        (["/opt/"], "not the path of a program"),
        (["/opt/../run"], "not the path of a program"),
        (["@/bin/x"], "there is none"),
        (["/bin/x", "\0"], "NUL"),
        (["/bin/x", "\udc80"], "not UTF-8"),
        (CommandLine("/bin/x a\nb"), "line break"),
        (CommandLine("/bin/x a\\"), "ends in a backslash"),
    ],
)
def test_what_systemd_cannot_run_is_refused(argv: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render_command(argv)


SYSTEMD = Path("/lib/systemd/systemd")


@pytest.fixture
def nobodys() -> Generator[Path]:
    """A directory that every user can read; pytest's own are private."""
    with TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.slow
@pytest.mark.skipif(
    not SYSTEMD.exists() or os.geteuid() != 0, reason="needs systemd, and root to become nobody"
)
def test_systemd_itself_reads_back_the_same_argv(nobodys: Path) -> None:
    source = random.Random(7)
    alphabet = " \t\n\x01\x7f%${}\\\"';#abcnx41=-@:+!é€"
    commands = [
        [
            "/bin/x",
            *(
                "".join(source.choices(alphabet, k=source.randrange(9)))
                for _ in range(source.randrange(1, 6))
            ),
        ]
        for _ in range(300)
    ]
    service = "[Service]\nType=oneshot\n" + "".join(
        f"ExecStart={render_command(argv)}\n" for argv in commands
    )
    (nobodys / "x.service").write_text(service)
    (nobodys / "default.target").write_text("[Unit]\nDefaultDependencies=no\n")
    (nobodys / "basic.target").write_text("[Unit]\nDefaultDependencies=no\n")
    as_nobody = ["setpriv", "--reuid=65534", "--clear-groups"]
    environment = {"SYSTEMD_UNIT_PATH": str(nobodys), "HOME": "/", "XDG_RUNTIME_DIR": "/tmp"}
    dump = run(
        [*as_nobody, SYSTEMD, "--test", "--user", "--unit=x.service"], env=environment, check=False
    ).text
    read_back = [split_words(line) for line in re.findall(r"^\t+Command Line: (.*)$", dump, re.MULTILINE)]
    # The dump is of what systemd keeps; variables are substituted when it runs, so `$` is still doubled.
    assert read_back == [[word.replace("$", "$$") for word in argv] for argv in commands]
