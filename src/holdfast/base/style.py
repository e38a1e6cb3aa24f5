"""Marking up text for people: what a piece of text is, apart from how a terminal shows it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import IO, Literal

Kind = Literal["added", "removed", "changed", "heading", "good", "bad", "warning", "quiet"]
Style = Callable[[Kind, str], str]
"""Kind of text and the text, to the text as it is shown."""

_ANSI: dict[Kind, str] = {
    "added": "32",
    "removed": "31",
    "changed": "33",
    "heading": "1",
    "good": "32",
    "bad": "31",
    "warning": "33",
    "quiet": "2",
}


def plain(_kind: Kind, text: str) -> str:
    """As it is: for files, pipes and people who want no colours."""
    return text


def coloured(kind: Kind, text: str) -> str:
    """With ECMA-48 colours, for terminals."""
    return f"\x1b[{_ANSI[kind]}m{text}\x1b[0m"


def shows_colours(stream: IO[str]) -> bool:
    """It is a terminal that shows colours, and nobody asked for none (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """``text`` with everything escaped that could steer a terminal; tabs stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else ascii(char)[1:-1] for char in text)


def printable_text(text: str) -> str:
    """The same for several lines: where they end stays, too."""
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))
