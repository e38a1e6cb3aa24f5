"""What was taken over from another tool, as a module of a definition (pure): a switch to it changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.manifest.model import BlobFile, Directory, Entry, Link, TextFile
from holdfast.project.python_text import comment, literal, text_literal

_HEAD = '''\
"""What was taken over from {tool}: import it from systems.py, and add `taken_over` to a system's modules.

Each line may go as soon as something better says the same; the path then gets that, or what was there before {tool}.
"""

from __future__ import annotations

from holdfast import Module
from holdfast.library import Files


def taken_over(m: Module) -> None:
    """Files as {tool} left them."""
'''


def describe_taken_over(entries: Mapping[str, Entry], *, tool: str) -> str:
    """Source text of a module file that declares ``entries``. What only the machine knows the content of is a comment."""
    lines: list[str] = []
    for path, entry in sorted(entries.items()):
        place = f"    m[Files][{literal(path)}]"
        if isinstance(entry, Link):
            lines.append(f"{place}.link = {literal(entry.target)}")
        elif isinstance(entry, TextFile):
            first, *rest = text_literal(entry.text)
            lines += [f"{place}.text = {first}", *rest, *_metadata(place, entry)]
        else:
            lines.append(
                f"    # {comment(path)}: its content is only on the machine; declare it, or the next switch takes it away"
            )
    if not any("m[Files]" in line for line in lines):
        lines.append("    pass")
    return _HEAD.format(tool=tool) + "\n".join(lines) + "\n"


def _metadata(place: str, entry: TextFile | BlobFile | Directory) -> list[str]:
    found = {"mode": (entry.mode, "0644"), "user": (entry.user, "root"), "group": (entry.group, "root")}
    return [
        f"{place}.{name} = {literal(value)}" for name, (value, default) in found.items() if value != default
    ]
