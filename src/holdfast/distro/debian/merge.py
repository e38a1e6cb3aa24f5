"""An overlay's upper directory moved into its lower one: the tree as if everything had been done in it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")


def merge_upper(upper: Path, tree: Path) -> None:
    """Apply ``upper`` (overlayfs form, see the kernel's overlayfs.rst) to ``tree`` and leave it empty.

    Files are renamed into place, never written through: what ``tree`` shares with others by hard links stays as it is.
    """
    _merge(str(upper), str(tree))


def _merge(upper: str, tree: str) -> None:
    status = os.lstat(upper)
    with os.scandir(upper) as entries:
        names = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in entries)
    for name, above in names:
        source, target = f"{upper}/{name}", f"{tree}/{name}"
        try:
            below = os.lstat(target)
        except FileNotFoundError:
            below = None
        if stat.S_ISCHR(above.st_mode) and above.st_rdev == 0:
            _remove(target, below)
            os.unlink(source)  # noqa: PTH108
        elif stat.S_ISDIR(above.st_mode):
            if below is not None and (not stat.S_ISDIR(below.st_mode) or _is_opaque(source)):
                _remove(target, below)
                below = None
            if below is None:
                os.mkdir(target)  # noqa: PTH102
            _merge(source, target)
        else:
            if below is not None and stat.S_ISDIR(below.st_mode):
                _remove(target, below)
            _drop_marks(source)
            os.rename(source, target)  # noqa: PTH104
    os.chown(tree, status.st_uid, status.st_gid)
    os.chmod(tree, stat.S_IMODE(status.st_mode))  # noqa: PTH101
    for name in os.listxattr(upper):
        if not name.startswith(("trusted.overlay.", "user.overlay.")):
            os.setxattr(tree, name, os.getxattr(upper, name))
    os.utime(tree, ns=(status.st_atime_ns, status.st_mtime_ns))


def _remove(path: str, status: os.stat_result | None) -> None:
    if status is None:
        return
    if stat.S_ISDIR(status.st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)  # noqa: PTH108


def _is_opaque(path: str) -> bool:
    marks = os.listxattr(path)
    return any(name in marks and os.getxattr(path, name) == b"y" for name in _OPAQUE)


def _drop_marks(path: str) -> None:
    """Take off overlayfs's own notes on a file that was copied up (``origin`` holds a handle of this very disk)."""
    for name in os.listxattr(path, follow_symlinks=False):
        if name.startswith(("trusted.overlay.", "user.overlay.")):
            os.removexattr(path, name, follow_symlinks=False)
