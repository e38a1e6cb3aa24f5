"""Lines of sudoers(5), which say exactly what was meant: every special character in an argument is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from holdfast.base.records import dataclass

NOTICE = "# Written by Holdfast from the definition of this system.\n"

_RUN_AS = r"ALL|%?[A-Za-z_][A-Za-z0-9_.-]*\$?|#[0-9]+"
_SCOPE = r"[@:>]|!/"


@dataclass(frozen=True)
class Rule:
    """Who may run what as whom."""

    name: str
    users: Sequence[str]
    groups: Sequence[str]
    commands: Sequence[Sequence[str]]
    """Empty: every command."""
    run_as_users: Sequence[str] = ("ALL",)
    run_as_groups: Sequence[str] = ("ALL",)
    tags: Sequence[str] = ()


def render_rule(rule: Rule) -> list[str]:
    """A comment and a line for each command.

    Raises:
        ValueError: nobody to give it to, or what sudo could not read.
    """
    people = ", ".join([*rule.users, *(f"%{group}" for group in rule.groups)])
    if not people:
        raise ValueError("the rule is for nobody: set users or groups")
    if "\n" in rule.name:
        raise ValueError("the rule's name is more than one line")
    for word in (*rule.run_as_users, *rule.run_as_groups):
        if not re.fullmatch(_RUN_AS, word):
            raise ValueError(f"{word!r} is nobody to run as: write ALL, the name of an account, or #NUMBER")
    if not rule.run_as_users and not rule.run_as_groups:
        raise ValueError("it is to run as nobody: set run_as_users")
    groups = f" : {', '.join(rule.run_as_groups)}" if rule.run_as_groups else ""
    run_as = f"({', '.join(rule.run_as_users)}{groups})"
    tags = "".join(f"{tag}: " for tag in rule.tags)
    commands = [render_command(command) for command in rule.commands] or ["ALL"]
    return [f"# {rule.name}", *(f"{people} ALL={run_as} {tags}{command}" for command in commands)]


def render_command(command: Sequence[str]) -> str:
    """One command that matches exactly these arguments, or any if there are none.

    Raises:
        ValueError: sudoers has no way to say it.
    """
    program, *arguments = command
    if program == "ALL" and not arguments:
        return "ALL"
    if program == "sudoedit":
        if not arguments:
            raise ValueError("sudoedit needs the files that may be edited")
    elif not re.fullmatch(r"/(?:.*[^/])?", program) or "/../" in f"{program}/":
        raise ValueError(f"{program!r} is not the absolute path of a program")
    if arguments == [""]:
        return f'{_escape(program)} ""'
    return " ".join([_escape(program), *map(_argument, arguments)])


def _argument(text: str) -> str:
    if not text:
        raise ValueError('an empty argument can only stand alone: [program, ""] allows no arguments')
    if text.startswith("^"):
        raise ValueError(f"the argument {text!r} would be a regular expression: write it in extra_config")
    return _escape(text)


def _escape(text: str) -> str:
    if any(ord(char) < 0x20 or char in '\\"' for char in text):
        raise ValueError(
            f"{text!r} has a quote, a backslash or a line break: write such a rule in extra_config"
        )
    # sudo joins arguments with spaces before it compares, so that a space needs no escape; sudo takes the backslash
    # from the first group itself, and fnmatch(3) the one from the second.
    return re.sub(r"([,:=#])|([*?\[\]])", r"\\\1\2", text)


def render_sudoers(
    rules: Iterable[Rule], *, defaults: Sequence[str] = (), wheel: bool | None = None, extra: str = ""
) -> str:
    """The file, rules in the order given.

    Raises:
        ValueError: what sudo could not read.
    """
    lines = [defaults_line(one) for one in defaults]
    if wheel is not None:
        lines.append(f"%sudo ALL=(ALL : ALL) {'' if wheel else 'NOPASSWD: '}ALL")
    for rule in rules:
        lines += render_rule(rule)
    text = NOTICE + "".join(f"{line}\n" for line in lines)
    extra = extra.strip("\n")
    return f"{text}{extra}\n" if extra.strip() else text


def defaults_line(text: str) -> str:
    """One line of settings; a scope may stand first (``:ada !authenticate``).

    Raises:
        ValueError: it is empty or more than one line.
    """
    if text.startswith("Defaults"):
        raise ValueError(f"{text!r} begins with Defaults: leave the word out")
    if "\n" in text or not text.strip() or text.endswith("\\"):
        raise ValueError(f"{text!r} is not one line with a setting")
    return f"Defaults{'' if re.match(_SCOPE, text) else ' '}{text}"
