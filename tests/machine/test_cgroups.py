from __future__ import annotations

import os
from pathlib import Path

from holdfast.machine.cgroups import sweep


def test_groups_of_dead_processes_are_swept_and_others_left(tmp_path: Path) -> None:
    """On plain directories, which rmdir(2) treats as it treats empty groups."""
    dead = 2**22 + 1  # beyond the largest process id of proc(5)
    for name in (
        f"holdfast-{dead}-web/payload/system.slice",
        f"holdfast-{os.getpid()}-web",
        "other",
        "holdfast-x-y",
    ):
        (tmp_path / name).mkdir(parents=True)
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"holdfast-{os.getpid()}-web",
        "holdfast-x-y",
        "other",
    ]
