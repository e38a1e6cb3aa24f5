"""Options as text: the search result of `holdfast options` and the pages of the generated reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

Record = Mapping[str, object]
"""One record of :func:`holdfast.options.document`."""


def matching(records: Sequence[Record], search: str) -> list[Record]:
    """Records whose path or description has every word of ``search``; whole path components first."""
    words = search.lower().split()

    def rank(record: Record) -> int:
        components = str(record["path"]).lower().replace("_", ".").split(".")
        return -sum(word in components for word in words)

    found = [
        record
        for record in records
        if all(word in f"{record['path']} {record['doc']}".lower() for word in words)
    ]
    return sorted(found, key=rank) if words else found


def describe(record: Record) -> str:
    """Several lines for a terminal."""
    lines = [str(record["path"]), f"    {record['type']}{_default(record)}"]
    if record["doc"]:
        lines.append(f"    {record['doc']}")
    if record["example"]:
        lines.append(f"    example: {record['example']}")
    return "\n".join(lines)


def option_reference(records: Sequence[Record]) -> Iterator[str]:
    """Lines of a Markdown page, one section per option set."""
    for section, members in groupby(records, key=_section):
        yield f"\n## {section}\n"
        yield "| option | type | default | |"
        yield "|---|---|---|---|"
        for record in members:
            default = f"`{_cell(record['default'])}`" if record["default"] is not None else "-"
            example = f" Example: `{_cell(record['example'])}`" if record["example"] else ""
            yield f"| `{_cell(record['path'])}` | {_cell(record['type'])} | {default} | {_cell(record['doc'])}{example} |"


def _section(record: Record) -> str:
    return str(record["path"]).partition(".")[0]


def _cell(value: object) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def _default(record: Record) -> str:
    return f", default {record['default']}" if record["default"] is not None else ", no default"
