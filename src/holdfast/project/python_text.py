"""Python as people would write it: literals, lists and calls as source text, in lines of at most 100 characters."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

_WIDTH = 100
_INDENT = 4


def literal(text: str) -> str:
    """A string in double quotes, or in single ones where that saves backslashes."""
    quoted = json.dumps(text, ensure_ascii=False)
    if '"' in text and "'" not in text:
        quoted = "'" + quoted[1:-1].replace('\\"', '"') + "'"
    # JSON's escapes are Python's, but for what it leaves as it is and no line of source may hold.
    return re.sub(r"[\x7f-\xa0\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", quoted)


def text_literal(text: str) -> list[str]:
    """A text of several lines, as lines of source: triple quotes where it stays readable."""
    plain = text.endswith("\n") and not re.search(
        r'\\|"""|[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029]', text
    )
    if plain and text.count("\n") > 1:
        return ['"""\\', *text.split("\n")[:-1], '"""']
    if text.count("\n") <= 1:
        return [literal(text)]
    return ["(", *(f"        {literal(line)}" for line in text.splitlines(keepends=True)), "    )"]


def listing(before: str, items: Sequence[str]) -> list[str]:
    """``before`` and a list of strings, one per line where it is too long for one line."""
    one = f"{before}[{', '.join(map(literal, items))}]"
    if len(one) + _INDENT <= _WIDTH or (len(items) == 1 and len(one) > 2 * _WIDTH):
        return [one]
    return [f"{before}[", *(f"    {literal(item)}," for item in items), "]"]


def list_of_call(before: str, function: str, arguments: Sequence[str]) -> list[str]:
    """``before`` and a list of one call, with as few lines as its length needs."""
    inner = f"{function}({', '.join(arguments)})"
    if len(before) + len(inner) + 2 <= _WIDTH:
        return [f"{before}[{inner}]"]
    if len(inner) + _INDENT + 1 <= _WIDTH:
        return [f"{before}[", f"    {inner},", "]"]
    return [
        f"{before}[",
        f"    {function}(",
        *(f"        {argument}," for argument in arguments),
        "    )",
        "]",
    ]


def comment(text: str) -> str:
    """Text that may stand in a docstring: one line, and nothing that ends it."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+", " ", text).replace("\\", "/").replace('"', "'")
