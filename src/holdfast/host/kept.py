"""Content that is kept for taking changes back: what nothing refers to any more goes.

Nothing is counted: whatever has a digest in the state, a generation, a journal or the record of a change of packages is needed. A
crash on the way leaves files that the next run removes.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from holdfast.base.events import message
from holdfast.host import state as places

_DIGITS = re.compile(rb"[0-9a-f]{64}")
_NAME = re.compile(r"[0-9a-f]{64}")


def prune_kept(home: Path) -> tuple[str, ...]:
    """Remove kept content that nothing refers to; the caller holds the lock and no run is open. Returns what went, as file names.

    What cannot be removed stays, and is only told: the change before it is made.
    """
    kept = home / Path(places.KEPT).name
    gone: list[str] = []
    try:
        names = {name for name in os.listdir(kept) if _NAME.fullmatch(name)}  # noqa: PTH208 (names, no paths)
        for path in (home / Path(places.STATE).name, *_others(home)):
            if not names:
                return ()
            names -= _named(path)
        for name in sorted(names):
            (kept / name).unlink()
            gone.append(name)
    except FileNotFoundError:
        return tuple(gone)
    except OSError as error:
        message(
            f"Content that is needed no more cannot be removed from {kept}: {error.strerror}", level="warning"
        )
    return tuple(gone)


def _others(home: Path) -> list[Path]:
    """What may refer to kept content, beside the state."""
    return [
        path
        for directory in ("generations", "journal", "packages")
        for path in (home / directory).rglob("*.json")
    ]


def _named(path: Path) -> set[str]:
    with suppress(FileNotFoundError):
        return {found.decode() for found in _DIGITS.findall(path.read_bytes())}
    return set()
