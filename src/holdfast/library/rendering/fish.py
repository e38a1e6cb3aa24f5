"""The environment in the language of fish: a file for /etc/fish/conf.d."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.library.rendering.command_lines import check_characters
from holdfast.library.rendering.shell import CONFIG_DIRS, DATA_DIRS, NOTICE, ShellEnvironment


def quote(text: str) -> str:
    """One word of fish that is exactly ``text``.

    Raises:
        ValueError: the text has a NUL character, or bytes that are not UTF-8.
    """
    check_characters(text, "a value")
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def render_fish(shell: ShellEnvironment, init: str) -> str:
    """Variables for login shells, aliases for interactive ones, and the author's own commands for all."""
    login = [f"set -gx {name} {quote(shell.variables[name])}" for name in sorted(shell.variables)]
    for path in reversed(shell.prepend):
        login.append(f"contains -- {_directory(path)} $PATH; or set -gx PATH {_directory(path)} $PATH")
    for path in shell.append:
        login.append(f"contains -- {_directory(path)} $PATH; or set -gx PATH $PATH {_directory(path)}")
    login += _search_path("XDG_DATA_DIRS", shell.data_dirs, DATA_DIRS)
    login += _search_path("XDG_CONFIG_DIRS", shell.config_dirs, CONFIG_DIRS)
    aliases = [f"alias {name} {quote(shell.aliases[name])}" for name in sorted(shell.aliases)]
    text = _block("status is-login", login) + _block("status is-interactive", aliases)
    own = init.strip("\n")
    return NOTICE + text + (f"{own}\n" if own.strip() else "")


def _block(condition: str, lines: Sequence[str]) -> str:
    return f"if {condition}\n" + "".join(f"    {line}\n" for line in lines) + "end\n" if lines else ""


def _directory(path: str) -> str:
    return f'"$HOME"{quote(path[1:])}' if path.startswith("~/") else quote(path)


def _search_path(name: str, directories: Sequence[str], standard: str) -> list[str]:
    # One text with colons: fish splits only variables whose names end in PATH.
    lines = [f'test -n "${name}"; or set -gx {name} {standard}'] if directories else []
    for path in reversed(directories):
        word = _directory(path)
        lines.append(f'contains -- {word} (string split : -- "${name}"); or set -gx {name} {word}":${name}"')
    return lines
