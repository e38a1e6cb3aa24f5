"""The environment as the files that shells and systemd read: POSIX sh, zsh, environment.d(5), systemd-system.conf(5).

What is written for sh holds under `set -u` and in dash, leaves no variable of its own behind, and may be sourced twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import field

from holdfast.base.records import dataclass
from holdfast.library.rendering.command_lines import check_characters
from holdfast.library.rendering.units import environment_line

NOTICE = "# Written by Holdfast from the definition of this system.\n"

DATA_DIRS = "/usr/local/share:/usr/share"
"""XDG_DATA_DIRS where it is not set, by the XDG Base Directory Specification."""
CONFIG_DIRS = "/etc/xdg"

_READ_ONLY = ("BASHOPTS", "BASH_VERSINFO", "EUID", "GID", "EGID", "PPID", "SHELLOPTS", "UID")


@dataclass(frozen=True)
class ShellEnvironment:
    """What a shell is to find. Directories may begin with ``~/``."""

    variables: Mapping[str, str] = field(default_factory=lambda: {})
    prepend: Sequence[str] = ()
    append: Sequence[str] = ()
    data_dirs: Sequence[str] = ()
    config_dirs: Sequence[str] = ()
    init: str = ""
    interactive: str = ""
    aliases: Mapping[str, str] = field(default_factory=lambda: {})


def check_variable(name: str) -> str:
    """``name`` when a shell can set and export it.

    Raises:
        ValueError: it cannot.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{name!r} is not the name of an environment variable")
    if name in _READ_ONLY:
        raise ValueError(f"shells set {name} themselves, and refuse to have it set")
    return name


def check_alias(name: str) -> str:
    """``name`` when every shell takes it as the name of an alias.

    Raises:
        ValueError: it is not one word of plain characters.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.,@%+:!][A-Za-z0-9_.,@%+:!-]*", name):
        raise ValueError(
            f"{name!r} is not the name of an alias: write one word of letters, digits, _ . - and +"
        )
    return name


def check_directory(path: str) -> str:
    """``path`` when it can stand in a search path: absolute, or below the home directory.

    Raises:
        ValueError: it cannot.
    """
    if not path.startswith(("/", "~/")):
        raise ValueError(f"{path!r} is neither absolute nor in the user's home: begin it with / or ~/")
    if ":" in path or "\n" in path or "\0" in path:
        raise ValueError(f"{path!r} has a colon or a line break, which no search path can hold")
    return path


def quote(text: str) -> str:
    """One word of POSIX sh that is exactly ``text``.

    Raises:
        ValueError: the text has a NUL character, or bytes that are not UTF-8.
    """
    check_characters(text, "a value")
    return "'" + text.replace("'", "'\\''") + "'"


def _directory(path: str) -> str:
    return '"${HOME-}"' + quote(path[1:]) if path.startswith("~/") else quote(path)


def render_profile(shell: ShellEnvironment) -> str:
    """The file for /etc/profile.d."""
    lines = [f"export {name}={quote(shell.variables[name])}" for name in sorted(shell.variables)]
    lines += _search_path("PATH", shell.prepend, "")
    lines += [line for path in shell.append for line in _addition("PATH", path, behind=True)]
    if shell.prepend or shell.append:
        lines.append("export PATH")
    for name, directories, standard in _searched(shell):
        lines += [*_search_path(name, directories, standard), f"export {name}"]
    text = "".join(f"{line}\n" for line in lines) + _author_text(shell.init)
    inner = "".join(f"alias {name}={quote(shell.aliases[name])}\n" for name in sorted(shell.aliases))
    inner += _author_text(shell.interactive)
    if inner:
        text += f"if case $- in *i*) true ;; *) false ;; esac; then\n:\n{inner}fi\n"
    return NOTICE + text


def _searched(shell: ShellEnvironment) -> list[tuple[str, Sequence[str], str]]:
    both = (
        ("XDG_DATA_DIRS", shell.data_dirs, DATA_DIRS),
        ("XDG_CONFIG_DIRS", shell.config_dirs, CONFIG_DIRS),
    )
    return [one for one in both if one[1]]


def _search_path(name: str, directories: Sequence[str], standard: str) -> list[str]:
    """Put directories before what is there, the first one first; what is in it already stays where it is."""
    lines = [f"{name}=${{{name}:-{standard}}}"] if standard and directories else []
    return lines + [line for path in reversed(directories) for line in _addition(name, path)]


def _addition(name: str, path: str, *, behind: bool = False) -> list[str]:
    word = _directory(path)
    added = f'"${{{name}:+${name}:}}"{word}' if behind else f'{word}"${{{name}:+:${name}}}"'
    return [f'case ":${{{name}-}}:" in', f"*:{word}:*) ;;", f"*) {name}={added} ;;", "esac"]


def _author_text(text: str) -> str:
    text = text.strip("\n")
    return f"{text}\n" if text.strip() else ""


def render_zprofile(profile: str | None) -> str:
    """The file /etc/zsh/zprofile: zsh reads none of /etc/profile.d by itself."""
    text = f"emulate sh -c {quote(f'. {profile}')}\n" if profile else ""
    return NOTICE + text


def render_environment_d(shell: ShellEnvironment) -> str:
    """The file for /etc/environment.d."""
    lines = [f'{name}="{_escape(shell.variables[name])}"' for name in sorted(shell.variables)]
    before = "".join(f"{_home(path)}:" for path in shell.prepend)
    behind = "".join(f":{_home(path)}" for path in shell.append)
    if before or behind:
        lines.append(f'PATH="{before}${{PATH:-/usr/local/bin:/usr/bin:/bin}}{behind}"')
    for name, directories, standard in _searched(shell):
        added = "".join(f"{_home(path)}:" for path in directories)
        lines.append(f'{name}="{added}${{{name}:-{standard}}}"')
    return NOTICE + "".join(f"{line}\n" for line in lines)


def _home(path: str) -> str:
    return "${HOME}" + _escape(path[1:]) if path.startswith("~/") else _escape(path)


def _escape(text: str) -> str:
    """Between double quotes of environment.d(5), which takes the escapes off first and expands variables then."""
    check_session_value(text)
    return re.sub(r'(["\\`])', r"\\\1", text).replace("$", r"\$\$")


def check_session_value(text: str) -> str:
    """``text`` when environment.d(5) can hold it as a value.

    Raises:
        ValueError: it has a line break or another control character, which systemd would hand on in another spelling.
    """
    check_characters(text, "the value")
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):
        raise ValueError(
            "the value has a line break or another control character, which environment.d(5) cannot hold"
        )
    return text


def render_default_environment(variables: Mapping[str, str]) -> str:
    """The file for /etc/systemd/system.conf.d."""
    lines = [f"DefaultEnvironment={environment_line(name, variables[name])}" for name in sorted(variables)]
    return NOTICE + "[Manager]\n" + "".join(f"{line}\n" for line in lines)
