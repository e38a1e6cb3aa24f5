"""Is there room for a change? Asked before anything is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.host.change import Prepared
from holdfast.host.files.actions import Keep, PutFile
from holdfast.host.files.content import Contents
from holdfast.host.live import Live
from holdfast.host.steps import ChangeFiles, Commit

_SPARE = 4 << 20
"""What must stay free, for the journal and for everybody else."""


def check_space(prepared: Prepared, live: Live, home: Path) -> None:
    """Compare what will be staged and kept with what is free.

    Raises:
        HoldfastError: a file system lacks room; says how much.
    """
    contents = Contents(prepared.contents, live.root, live.blobs)
    needed: dict[Path, int] = {}
    with explain_os_errors("see how much space is free"):
        for step in prepared.change.steps:
            for action in step.actions if isinstance(step, (ChangeFiles, Commit)) else ():
                if isinstance(action, PutFile):
                    place = (live.path / action.path.lstrip("/")).parent
                    needed[place] = needed.get(place, 0) + _rounded(contents.size(action.node.digest))
                elif isinstance(action, Keep):
                    size = (live.path / action.path.lstrip("/")).stat(follow_symlinks=False).st_size
                    needed[home] = needed.get(home, 0) + _rounded(size)
        _compare(needed)


def _compare(needed: Mapping[Path, int]) -> None:
    by_device: dict[int, tuple[Path, int]] = {}
    for place, size in needed.items():
        there = next(path for path in (place, *place.parents) if path.exists())
        device = there.stat().st_dev
        path, so_far = by_device.get(device, (there, 0))
        by_device[device] = (path, so_far + size)
    for path, size in by_device.values():
        free = os.statvfs(path)
        available = free.f_bavail * free.f_frsize
        if free.f_blocks and size + _SPARE > available:
            raise HoldfastError(
                f"there is not enough room on the file system of {path}",
                details=f"The change needs {_mebibytes(size + _SPARE)}, and {_mebibytes(available)} are free. Nothing was changed.",
                resolution="Free some space there (`holdfast generations prune` forgets old generations), then run the command again.",
            )


def _rounded(size: int) -> int:
    return (size + 4095) // 4096 * 4096


def _mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"
