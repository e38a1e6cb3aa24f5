"""Paragraphs of ``Field: value`` lines, as Debian's control, Release, Packages and .sources files have them (deb822(5))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Paragraph = Mapping[str, str]
"""Field name in lower case to value. Continuation lines keep their newlines, without the leading blank."""


def parse_paragraphs(text: str) -> Iterator[Paragraph]:
    """Every paragraph of ``text``. Comments are skipped; a line that is neither field nor continuation ends nothing."""
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if not line.strip():
            if fields:
                yield fields
            fields, name = {}, ""
        elif line.startswith("#"):
            continue
        elif line[0] in " \t":
            if name:
                fields[name] += "\n" + line[1:]
        else:
            name, separator, value = line.partition(":")
            name = name.strip().lower()
            if separator:
                fields[name] = value.strip()
            else:
                name = ""
    if fields:
        yield fields


def parse_paragraph(text: str) -> Paragraph:
    """The first paragraph of ``text``; empty when there is none."""
    return next(parse_paragraphs(text), dict[str, str]())
