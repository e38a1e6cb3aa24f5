"""Where a definition was written: kept as (code, instruction offset), turned into ``file:line`` only to be shown."""

from __future__ import annotations

import os
import sys
from types import CodeType, FrameType

HERE = __file__.rpartition(os.sep)[0] + os.sep

Place = tuple[CodeType, int]

# The function itself under a name of ours: one more Python frame in the write path would cost more than the write.
frame_at = sys._getframe  # pyright: ignore[reportPrivateUsage]


def author_frame(frame: FrameType) -> FrameType:
    """Frame of whoever called into the module system, out of it and of the mappings of Python."""
    while frame.f_back is not None and frame.f_code.co_filename.startswith(
        (HERE, "<frozen _collections_abc")
    ):
        frame = frame.f_back
    return frame


def line_of(code: CodeType, offset: int) -> int:
    """Line of the instruction at ``offset``; 0 when the code has no lines."""
    for start, end, line in code.co_lines():
        if start <= offset < end and line is not None:
            return line
    return code.co_firstlineno


def format_place(code: CodeType, offset: int) -> str:
    """``file:line``, the file relative to the current directory when it is below it."""
    return f"{shown_file(code.co_filename)}:{line_of(code, offset)}"


_PACKAGE = __file__.rpartition("/options/")[0] + "/"
_ABOVE_PACKAGE = _PACKAGE.removesuffix("holdfast/")


def shown_file(filename: str) -> str:
    """Shorten a file name below the current directory, and one of ours to ``holdfast/library/nginx.py``."""
    if filename.startswith(_PACKAGE):
        return filename[len(_ABOVE_PACKAGE) :]
    try:
        here = os.getcwd() + os.sep  # noqa: PTH109 - pathlib is slow to import
    except OSError:
        return filename
    return filename[len(here) :] if filename.startswith(here) else filename
