"""Command lines of systemd units: from a list of arguments to the text of ``ExecStart=`` (systemd.service(5), systemd.syntax(7)).

A command given as a list runs with exactly these arguments. To that end, in every argument

- ``%`` becomes ``%%``, since systemd expands specifiers after unquoting;
- ``$`` becomes ``$$``, since systemd substitutes variables last, unless the prefix ``:`` switches that off;
- whitespace, quotes, backslashes, control characters and ``;`` are put in double quotes with C escapes, and an
  empty argument is ``""``.

The first item is the executable, an absolute path or a bare file name, and may begin with systemd's prefixes ``-``
(failure is success), ``@`` (the next item is argv[0]), ``:`` (no variables), ``+``, ``!`` and ``!!`` (privileges). They
keep their meaning: no executable's name is mistaken for one, for a path starts with ``/``.

:class:`CommandLine` is the way out: text that goes into the unit as it is, specifiers and variables included.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SAFE_WORD = r"[A-Za-z0-9_@%+=:,./~^$()-]+"
_PREFIXES = "-@:+!|"
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_BARE_NAME = r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*"


class CommandLine(str):
    """A command line in systemd's own syntax, for specifiers and variables: ``CommandLine("/usr/bin/demo --id=%i ${OPTS}")``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"CommandLine({str(self)!r})"


def render_command(command: Sequence[str]) -> str:
    """The text after ``ExecStart=`` that runs exactly this list; a :class:`CommandLine` is its own text.

    Raises:
        ValueError: systemd has no way to run it; the message says why.
    """
    if isinstance(command, CommandLine):
        return check_line(str(command), "a command line")
    if isinstance(command, str) or not command:
        raise ValueError('a command is a list of arguments: ["/usr/bin/demo", "--verbose"]')
    words = list(command)
    prefixes = _prefixes_of(words[0])
    executable = words[0][len(prefixes) :]
    check_executable(executable)
    substitutes = ":" not in prefixes
    rest = [quote_argument(word, substitutes=substitutes) for word in words[1:]]
    if "@" in prefixes and not rest:
        raise ValueError("the prefix @ takes the next item as argv[0], and there is none")
    return " ".join([quote_word(prefixes + executable.replace("%", "%%")), *rest])


def _prefixes_of(word: str) -> str:
    return word[: len(word) - len(word.lstrip(_PREFIXES))]


def check_executable(executable: str) -> None:
    """Raises ValueError unless systemd takes it as a program: an absolute path, or a name it looks up itself."""
    if not executable.startswith("/") and not re.fullmatch(_BARE_NAME, executable):
        raise ValueError(f"the executable {executable!r} is neither an absolute path nor a bare file name")
    if executable.endswith("/") or "/../" in f"{executable}/":
        raise ValueError(f"the executable {executable!r} is not the path of a program")
    if "$" in executable:
        raise ValueError(f"the executable {executable!r} contains $, which systemd does not substitute there")
    if any(char in "\"'\\" or ord(char) < 0x20 or ord(char) == 0x7F for char in executable):
        raise ValueError(f"the executable {executable!r} contains a quote, backslash or control character")


def quote_argument(word: str, *, substitutes: bool = True) -> str:
    """One argument, so that the process receives exactly ``word``."""
    doubled = word.replace("%", "%%")
    return quote_word(doubled.replace("$", "$$") if substitutes else doubled)


def quote_word(word: str) -> str:
    """One word of systemd.syntax(7), quoted when it needs to be; specifiers and variables are left alone.

    Raises:
        ValueError: the word contains a NUL character or a lone surrogate.
    """
    if re.fullmatch(_SAFE_WORD, word):
        return word
    check_characters(word, "an argument")
    return '"' + "".join(_ESCAPES.get(char) or _quoted(char) for char in word) + '"'


def _quoted(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 0x20 or ord(char) == 0x7F else char


def check_characters(text: str, what: str) -> None:
    """Raises ValueError when ``text`` has characters that no unit file can hold."""
    if "\0" in text:
        raise ValueError(f"{what} contains a NUL character: {text!r}")
    check_utf8(text, what)


def check_utf8(text: str, what: str) -> None:
    """Raises ValueError when ``text`` has lone surrogates: bytes that Python could not read as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        found = text[max(0, error.start - 20) : error.end + 20]
        raise ValueError(f"{what} contains bytes that are not UTF-8: {found!r}") from None


def check_line(text: str, what: str) -> str:
    """``text`` itself when it fits on one line of a unit file.

    Raises:
        ValueError: it has a line break, a NUL, or a backslash at its end, which would swallow the next line.
    """
    check_characters(text, what)
    if "\n" in text or "\r" in text:
        raise ValueError(f"{what} contains a line break: {text!r}")
    if text.endswith("\\"):
        raise ValueError(f"{what} ends in a backslash, which joins it to the next line: {text!r}")
    return text
