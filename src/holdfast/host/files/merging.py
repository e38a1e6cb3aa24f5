"""Taking our lines back out of a file that others have changed since (pure)."""

from __future__ import annotations

import re


def without_ours(before: bytes, after: bytes, now: bytes) -> bytes:
    """``now`` without what made ``after`` of ``before``: lines of theirs stay, and so does a line of ours that they changed further.

    Lines are told apart by what stands before their first colon, which is the name in passwd(5) and its like.
    """
    old, new = _by_name(before), _by_name(after)
    there = _by_name(now)
    kept: list[bytes] = []
    for line in _lines(now):
        name = _name(line)
        if name in new and new[name] == line and old.get(name) != line:
            if name in old:
                kept.append(old[name])
        else:
            kept.append(line)
    back = [line for name, line in old.items() if name not in new and name not in there]
    if back and kept and not kept[-1].endswith(b"\n"):
        kept[-1] += b"\n"
    kept += back
    return b"".join(kept)


def _by_name(text: bytes) -> dict[bytes, bytes]:
    return {_name(line): line for line in _lines(text)}


def _lines(text: bytes) -> list[bytes]:
    """With their ends; what else may look like one (a carriage return) is part of a line."""
    return re.findall(rb"[^\n]*\n|[^\n]+", text)


def _name(line: bytes) -> bytes:
    return line.rstrip(b"\n").partition(b":")[0]
