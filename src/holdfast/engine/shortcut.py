"""Whether a switch may come to nothing, told by what it names alone: what a change needs is not even loaded then."""

from __future__ import annotations

import argparse
from pathlib import Path

from holdfast.base.digests import digest_bytes
from holdfast.base.style import Style
from holdfast.engine.outcome import Outcome, Place

_CURRENT = "var/lib/holdfast/host/current/manifest.json"


def nothing_to_switch(options: argparse.Namespace, style: Style) -> Outcome | None:
    """`holdfast switch` to what is current; None where something is to be done, or may have to be: that needs a unit."""
    if not _is_current(options):
        return None
    from holdfast.engine import changes

    return changes.nothing_to_switch(options, style)


def _is_current(options: argparse.Namespace) -> bool:
    place = Place(options.root)
    try:
        current = (place.root / _CURRENT).read_bytes()
    except OSError:
        return False
    if options.artifact is not None:
        return place.has_store and place.store.artifact(options.artifact).identity == digest_bytes(current)
    file: Path | None = options.file
    try:
        return file is None or file.read_bytes() == current
    except OSError:
        return False  # whoever opens it next says what is wrong with it
