"""stdout for results, stderr for everything else: text for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import traceback
from collections.abc import Iterable

from holdfast.base.codec import JSON, json_text
from holdfast.base.errors import HoldfastError
from holdfast.base.event_lines import JsonLines, PlainLines
from holdfast.base.events import Listener
from holdfast.base.style import printable_text, shows_colours

_TRACEBACK_VARIABLE = "HOLDFAST_TRACEBACK"


def wants_colour(options: argparse.Namespace) -> bool:
    """The text for people goes to a terminal that shows them."""
    if options.as_json or options.text:
        return bool(options.text == "coloured")
    return shows_colours(sys.stdout)


def listener(*, as_json: bool, verbose: bool) -> Listener:
    """Who draws events on stderr."""
    return JsonLines(write_error_line) if as_json else PlainLines(write_error_line, verbose=verbose)


def write_error_line(line: str) -> None:
    """One whole line, at once: several threads may write, and the reader may be another process."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def write_json(value: JSON) -> None:
    sys.stdout.write(json_text(value) + "\n")


def write_lines(lines: Iterable[str]) -> None:
    sys.stdout.writelines(line + "\n" for line in lines)


def error_fields(error: HoldfastError) -> dict[str, JSON]:
    """An error as data: how it travels from a unit to its follower, and to the author's side."""
    return {
        "brief": error.brief,
        "details": error.details,
        "resolution": error.resolution,
        "exit_code": int(error.exit_code),
    }


def show_error(error: HoldfastError, *, as_json: bool) -> None:
    """An error on stderr; as JSON it is the last event, ``failed``."""
    if as_json:
        write_error_line(json.dumps({"event": "failed", **error_fields(error)}))
        return
    if os.environ.get(_TRACEBACK_VARIABLE):
        sys.stderr.write(traceback.format_exc())
    write_error_line(f"error: {printable_text(error.brief)}")
    if error.details:
        write_error_line(textwrap.indent(printable_text(error.details), "  "))
    if error.resolution:
        write_error_line(f"next: {printable_text(error.resolution)}")


def bug(error: BaseException) -> HoldfastError:
    """An exception that nobody expected, told as a defect."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""  # noqa: PTH119
    return HoldfastError(
        f"this is a defect of Holdfast: {type(error).__name__}: {error}{place}",
        details=traceback.format_exc() if os.environ.get(_TRACEBACK_VARIABLE) else "",
        resolution=f"Run the command again with {_TRACEBACK_VARIABLE}=1 and report what it prints.",
    )
