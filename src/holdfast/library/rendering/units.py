"""The text of systemd unit files and drop-ins, exact and deterministic (systemd.syntax(7)).

A per cent sign in a command, an environment value or a description is just that (written ``%%``). Everywhere else a value
is systemd's own syntax, so specifiers such as ``%i`` work.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Union

from holdfast.library.rendering.command_lines import check_characters, check_line, quote_word

Scalar = Union[bool, int, str]
Value = Union[Scalar, Sequence[Scalar]]
"""A list is written as one line per item; an item "" empties what came before, as systemd defines it."""
Settings = Iterable[tuple[str, Value]]

_KEY = r"[A-Za-z][A-Za-z0-9_-]*"
_SECTION = r"[A-Za-z][A-Za-z0-9 _-]*"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


def render_unit(sections: Iterable[tuple[str, Settings]]) -> str:
    """The file: sections and settings in the order given, empty sections left out.

    Raises:
        ValueError: a name or value that cannot stand in a unit file; the message names the setting.
    """
    blocks: list[str] = []
    for name, settings in sections:
        if not re.fullmatch(_SECTION, name):
            raise ValueError(f"{name!r} is not the name of a section")
        lines = [line for key, value in settings for line in _lines(name, key, value)]
        if lines:
            blocks.append("\n".join([f"[{name}]", *lines]) + "\n")
    return "\n".join(blocks)


def _lines(section: str, key: str, value: Value) -> list[str]:
    if not re.fullmatch(_KEY, key):
        raise ValueError(f"{key!r} in [{section}] is not the name of a setting")
    items: Sequence[Scalar] = (value,) if isinstance(value, (bool, int, str)) else value
    return [f"{key}={check_line(_scalar(item), f'{key}= in [{section}]')}" for item in items]


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def plain_text(text: str) -> str:
    """Text in which systemd would expand specifiers, so that it reads as written: ``%`` becomes ``%%``."""
    return text.replace("%", "%%")


def environment_line(name: str, value: str) -> str:
    """The value of one ``Environment=`` line that sets the variable to exactly ``value``; ``$`` means nothing there.

    Raises:
        ValueError: no valid variable name.
    """
    if not re.fullmatch(_VARIABLE, name):
        raise ValueError(f"{name!r} is not the name of an environment variable")
    return quote_word(plain_text(f"{name}={value}"))


def credential_line(name: str, value: str) -> str:
    """The value of one ``SetCredential=`` line that hands over exactly ``value``, see systemd.exec(5).

    Raises:
        ValueError: a name that cannot be a file's, or a NUL character.
    """
    check_characters(value, f"the credential {name!r}")
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    spaces = len(escaped) - len(escaped.rstrip(" \t"))
    kept, rest = escaped[: len(escaped) - spaces], escaped[len(escaped) - spaces :]
    # What ends the line is stripped before escapes are read.
    return f"{_credential(name)}:{kept}" + "".join(f"\\x{ord(char):02x}" for char in rest)


def encrypted_credential_line(name: str, value: str) -> str:
    """The value of one ``SetCredentialEncrypted=`` line; the Base64 text may be wrapped.

    Raises:
        ValueError: a name that cannot be a file's, or text that is not Base64.
    """
    joined = "".join(value.split())
    if not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", joined):
        raise ValueError(f"the credential {name!r} is not what `systemd-creds encrypt` prints")
    return f"{_credential(name)}:{joined}"


def _credential(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise ValueError(f"{name!r} is not the name of a credential: write letters, digits, _ . and -")
    return name


def merge_sections(
    typed: Sequence[tuple[str, Sequence[tuple[str, Value]]]], freeform: Mapping[str, Mapping[str, Value]]
) -> list[tuple[str, list[tuple[str, Value]]]]:
    """Typed settings in their order, then the freeform ones by name.

    Raises:
        ValueError: a setting is given both ways.
    """
    merged: list[tuple[str, list[tuple[str, Value]]]] = []
    for name, settings in typed:
        extra = freeform.get(name, {})
        twice = sorted({key for key, _ in settings} & set(extra))
        if twice:
            raise ValueError(f'{twice[0]}= is set by its own option and by section["{name}"]["{twice[0]}"]')
        merged.append((name, [*settings, *sorted(extra.items(), key=_key)]))
    names = {name for name, _ in typed}
    return merged + [
        (name, sorted(freeform[name].items(), key=_key)) for name in sorted(set(freeform) - names)
    ]


def _key(item: tuple[str, Value]) -> str:
    return item[0]
