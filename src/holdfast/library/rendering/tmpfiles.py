"""Lines of tmpfiles.d(5), quoted so that systemd-tmpfiles reads back exactly these fields."""

from __future__ import annotations

import re

from holdfast.library.rendering.command_lines import check_characters, quote_word

_TYPE = r"[a-zA-Z][+!\-=~^$]*"
_MODE = r"[:~]*[0-7]{3,4}"
_AGE = r"(?:[abcmABCM]+:)?~?(?:[0-9]+|(?:[0-9]+ ?(?:us|ms|s|min|m|h|d|w) ?)+)"


def render_tmpfiles(
    kind: str,
    path: str,
    *,
    mode: str | None = None,
    user: str | None = None,
    group: str | None = None,
    age: str | None = None,
    argument: str | None = None,
) -> str:
    """One line: type, path, mode, user, group, age, argument. None is ``-``, the type's own default.

    Specifiers (``%b``, ``%m``) keep their meaning in path and argument; write ``%%`` for a per cent sign.

    Raises:
        ValueError: a field that systemd-tmpfiles would refuse.
    """
    if not re.fullmatch(_TYPE, kind):
        raise ValueError(f"{kind!r} is not a type of tmpfiles.d, such as d, f, L+ or Z")
    if not path.startswith(("/", "%")):
        raise ValueError(f"the path {path!r} is not absolute: begin it with / or a specifier such as %t")
    if mode is not None and not re.fullmatch(_MODE, mode):
        raise ValueError(f"the mode {mode!r} is not octal, such as 0755")
    if age is not None:
        check_age(age)
    fields = [kind, path, mode, user, group, age]
    words = ["-" if field is None else quote_word(field) for field in fields]
    if argument is None:
        while words[-1] == "-":
            words.pop()
        return " ".join(words)
    return " ".join([*words, quote_argument_field(argument)])


def check_age(age: str) -> str:
    """Raises ValueError unless systemd-tmpfiles reads ``age``."""
    if not re.fullmatch(_AGE, age):
        raise ValueError(f"{age!r} is not an age of tmpfiles.d, such as 10d or 1h 30min")
    return age


def quote_argument_field(argument: str) -> str:
    """The last field: the rest of the line, in which only backslash escapes are read."""
    check_characters(argument, "the argument of a tmpfiles line")
    escaped = argument.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    # systemd-tmpfiles strips the line, and with it what is not escaped.
    spaces = len(escaped) - len(escaped.rstrip(" "))
    escaped = escaped.rstrip(" ") + "\\x20" * spaces
    return "\\x20" + escaped[1:] if escaped.startswith(" ") else escaped
