"""Option paths: tuples of strings inside, ``files."/etc/nginx/nginx.conf".text`` on the command line."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.base.errors import HoldfastError

Path = tuple[str, ...]

_PLAIN_EXTRA = frozenset("-_@[]")


def format_path(path: Path) -> str:
    """Write a path for people; a segment that is not a plain word is quoted."""
    return ".".join(segment if _is_plain(segment) else _quote(segment) for segment in path)


def _is_plain(segment: str) -> bool:
    return bool(segment) and all(char.isalnum() or char in _PLAIN_EXTRA for char in segment)


def _quote(segment: str) -> str:
    escaped = segment.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def parse_path(text: str) -> Path:
    """Read what :func:`format_path` writes. Raises :class:`HoldfastError` for an open quote or an empty segment."""
    segments: list[str] = []
    position = 0
    while True:
        segment, position = _segment(text, position)
        segments.append(segment)
        if position == len(text):
            return tuple(segments)
        if text[position] != ".":
            raise _bad_path(text, f"expected `.` after a quoted segment at column {position + 1}")
        position += 1


def _segment(text: str, start: int) -> tuple[str, int]:
    if text[start : start + 1] == '"':
        chars: list[str] = []
        position = start + 1
        while position < len(text):
            char = text[position]
            if char == '"':
                return "".join(chars), position + 1
            if char == "\\" and position + 1 < len(text):
                position += 1
                char = "\n" if text[position] == "n" else text[position]
            chars.append(char)
            position += 1
        raise _bad_path(text, f"the quote at column {start + 1} is never closed")
    end = text.find(".", start)
    end = len(text) if end == -1 else end
    if end == start:
        raise _bad_path(text, f"a segment is empty at column {start + 1}")
    return text[start:end], end


def _bad_path(text: str, why: str) -> HoldfastError:
    return HoldfastError(
        f"`{text}` is not an option path: {why}.",
        resolution="Quote segments with dots or slashes, inside shell quotes: 'files.\"/etc/motd\".text'.",
    )


def suggest(name: str, known: Iterable[str]) -> str:
    """Give ``Did you mean `x`?``, or list what there is if nothing is near, or nothing if there is nothing."""
    from difflib import get_close_matches  # only ever on the way to an error

    names = sorted(known)
    near = get_close_matches(name, names, n=2, cutoff=0.6)
    if near:
        return "Did you mean " + " or ".join(f"`{match}`" for match in near) + "?"
    if not names:
        return ""
    shown = ", ".join(f"`{one}`" for one in names[:12])
    return f"There is {shown}" + (f" and {len(names) - 12} more." if len(names) > 12 else ".")
