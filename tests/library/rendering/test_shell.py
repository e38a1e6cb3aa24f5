"""What is written for shells and systemd, read back by them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.library.rendering.fish import render_fish
from holdfast.library.rendering.shell import (
    NOTICE,
    ShellEnvironment,
    check_alias,
    check_directory,
    check_variable,
    render_default_environment,
    render_environment_d,
    render_profile,
    render_zprofile,
)
from tests.examples import at_most

GENERATOR = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")
HARD = "a 'b' \"c\" $HOME `id` \\ \\n #x\n100% ü *"
SHELLS = [shell for shell in ("/bin/dash", "/bin/bash") if shutil.which(shell)]


def sourced(shell: str, tmp_path: Path, text: str, say: str, *flags: str, **environment: str) -> str:
    file = tmp_path / "holdfast.sh"
    file.write_text(text)
    script = f". {file}\n. {file}\n{say}"
    argv = [shell, "-eu", *flags, "-c", script]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout


def environment_of(shell: str, tmp_path: Path, text: str, **environment: str) -> dict[str, str]:
    told = sourced(shell, tmp_path, text, "env -0", **{"PATH": "/usr/bin:/bin", **environment})
    return dict(item.split("=", 1) for item in told.split("\0") if item)


@pytest.mark.parametrize("shell", SHELLS)
def test_variables_arrive_as_written_and_nothing_else_is_left_behind(shell: str, tmp_path: Path) -> None:
    text = render_profile(ShellEnvironment({"HARD": HARD, "EMPTY": ""}))
    before = environment_of(shell, tmp_path, "")
    after = environment_of(shell, tmp_path, text)
    assert after == {**before, "HARD": HARD, "EMPTY": ""}


@pytest.mark.parametrize("shell", SHELLS)
def test_search_paths(shell: str, tmp_path: Path) -> None:
    text = render_profile(
        ShellEnvironment(
            prepend=("/a b", "~/bin", "/usr/bin"), append=("/z",), data_dirs=("/d",), config_dirs=("/c",)
        )
    )
    # Sourced twice: nothing is in it twice, and what was there already keeps its place.
    assert (
        environment_of(shell, tmp_path, text, HOME="/srv/a*a")["PATH"] == "/a b:/srv/a*a/bin:/usr/bin:/bin:/z"
    )
    made = environment_of(shell, tmp_path, text, XDG_CONFIG_DIRS="/mine")
    assert (made["XDG_DATA_DIRS"], made["XDG_CONFIG_DIRS"]) == ("/d:/usr/local/share:/usr/share", "/c:/mine")
    bare = sourced(
        shell, tmp_path, text, '/usr/bin/env printf %s "$PATH"' if shell == "/bin/bash" else "echo", PATH=""
    )
    assert bare.strip() in ("", "/a b:/bin:/usr/bin:/z")


@pytest.mark.parametrize("shell", SHELLS)
def test_aliases_and_interactive_commands_are_for_interactive_shells(shell: str, tmp_path: Path) -> None:
    text = render_profile(
        ShellEnvironment(init="INIT=1\n", interactive="\n# only a comment\n", aliases={"hey": "echo it's me"})
    )
    plain = sourced(shell, tmp_path, text, 'echo "$INIT"; alias hey || echo none', PATH="/usr/bin:/bin")
    assert plain.split() == ["1", "none"]
    (tmp_path / "say").write_text(f". {tmp_path / 'holdfast.sh'}\nalias hey\n")
    argv = [shell, *(["--norc", "--noprofile"] if "bash" in shell else []), "-i"]
    with (tmp_path / "say").open() as script:
        told = subprocess.run(
            argv, stdin=script, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
        )
    assert "echo it" in told.stdout


def test_an_interactive_part_of_comments_alone_is_still_a_program(tmp_path: Path) -> None:
    text = render_profile(ShellEnvironment(interactive="# nothing"))
    assert sourced(SHELLS[0], tmp_path, text, "echo fine", PATH="/usr/bin:/bin") == "fine\n"


TEXTS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12)


@pytest.mark.skipif(not GENERATOR.exists(), reason="systemd's own generator is not installed")
@at_most(15)
@given(values=st.lists(TEXTS, min_size=1, max_size=20))
def test_systemd_reads_session_variables_as_written(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    variables = {
        f"V{index}": value for index, value in enumerate([HARD.replace("\n", " "), "$$ ${X:-y}", *values])
    }
    assert generated(tmp_path_factory.mktemp("d"), ShellEnvironment(variables)) == variables


@pytest.mark.skipif(not GENERATOR.exists(), reason="systemd's own generator is not installed")
def test_systemd_extends_search_paths(tmp_path: Path) -> None:
    shell = ShellEnvironment(prepend=("~/$bin", "/a"), append=("/z",), data_dirs=("/d",))
    assert generated(tmp_path, shell, HOME="/srv/ada", PATH="/usr/bin") == {
        "PATH": "/srv/ada/$bin:/a:/usr/bin:/z",
        "XDG_DATA_DIRS": "/d:/usr/local/share:/usr/share",
    }


def generated(directory: Path, shell: ShellEnvironment, **environment: str) -> dict[str, str]:
    """What systemd's generator makes of the file; it prints a shell's assignments."""
    place = directory / "environment.d"
    place.mkdir()
    (place / "60-holdfast.conf").write_text(render_environment_d(shell))
    told = subprocess.run(
        [GENERATOR],
        env={**environment, "XDG_CONFIG_HOME": str(directory)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = [
        *shell.variables,
        *(("PATH",) if shell.prepend else ()),
        *(("XDG_DATA_DIRS",) if shell.data_dirs else ()),
    ]
    say = "".join(f"printf '%s\\0' \"${name}\"\n" for name in names)
    read = subprocess.run(
        ["/bin/bash", "-c", told + "\n" + say], capture_output=True, text=True, check=True
    ).stdout
    return dict(zip(names, read.split("\0"), strict=False))


def test_default_environment() -> None:
    assert render_default_environment({"B": "100% $x", "A": "plain"}) == (
        NOTICE + '[Manager]\nDefaultEnvironment=A=plain\nDefaultEnvironment="B=100%% $x"\n'
    )


def test_zsh_sources_what_other_shells_source() -> None:
    assert render_zprofile("/etc/profile.d/holdfast.sh") == (
        NOTICE + "emulate sh -c '. /etc/profile.d/holdfast.sh'\n"
    )
    assert render_zprofile(None) == NOTICE


def test_fish() -> None:
    shell = ShellEnvironment(
        {"A": "it's \\ $x"},
        prepend=("/a", "~/bin"),
        append=("/z",),
        data_dirs=("/d",),
        aliases={"ll": "ls -l"},
    )
    assert (
        render_fish(shell, "set -g fish_greeting\n")
        == NOTICE
        + """\
if status is-login
    set -gx A 'it\\'s \\\\ $x'
    contains -- "$HOME"'/bin' $PATH; or set -gx PATH "$HOME"'/bin' $PATH
    contains -- '/a' $PATH; or set -gx PATH '/a' $PATH
    contains -- '/z' $PATH; or set -gx PATH $PATH '/z'
    test -n "$XDG_DATA_DIRS"; or set -gx XDG_DATA_DIRS /usr/local/share:/usr/share
    contains -- '/d' (string split : -- "$XDG_DATA_DIRS"); or set -gx XDG_DATA_DIRS '/d'":$XDG_DATA_DIRS"
end
if status is-interactive
    alias ll 'ls -l'
end
set -g fish_greeting
"""
    )


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "UID", "SHELLOPTS"])
def test_what_no_shell_can_set(name: str) -> None:
    with pytest.raises(ValueError, match=r"variable|themselves"):
        check_variable(name)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "-x", "a'b"])
def test_what_is_no_alias(name: str) -> None:
    with pytest.raises(ValueError, match="alias"):
        check_alias(name)


@pytest.mark.parametrize("path", ["bin", "~ada/bin", "/a:/b", "/a\n", "$HOME/bin"])
def test_what_no_search_path_holds(path: str) -> None:
    with pytest.raises(ValueError, match=r"begin it|search path"):
        check_directory(path)


def test_text_that_no_file_can_hold() -> None:
    with pytest.raises(ValueError, match="line break"):
        render_environment_d(ShellEnvironment({"A": "a\nb"}))
    with pytest.raises(ValueError, match="NUL"):
        render_profile(ShellEnvironment({"A": "a\0b"}))
