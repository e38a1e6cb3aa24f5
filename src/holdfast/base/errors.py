"""The one error that people see, and the words for what the operating system refuses."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator
from contextlib import contextmanager


class HoldfastError(Exception):
    """A failure told to a person: what happened, where, and what to do next.

    ``brief`` is one line. ``details`` is evidence (a command's last lines, the definitions in conflict).
    ``resolution`` is the next step, as an imperative sentence or a command to copy.
    """

    exit_code = 1

    def __init__(self, brief: str, *, details: str = "", resolution: str = "") -> None:
        super().__init__(brief)
        self.brief = brief
        self.details = details
        self.resolution = resolution

    def __str__(self) -> str:
        return "\n".join(part for part in (self.brief, self.details, self.resolution) if part)


_REASONS = {
    errno.ENOSPC: "the disk is full (No space left on device)",
    errno.EDQUOT: "the disk quota is used up (Disk quota exceeded)",
}
_RESOLUTIONS = {
    errno.ENOSPC: "Free some space there (`holdfast store gc` removes what nothing uses, `holdfast generations prune` on a machine "
    "what only old generations do), then run the command again.",
    errno.EDQUOT: "The disk quota is used up: free some space there, then run the command again.",
    errno.EBUSY: "Something may be mounted there (`findmnt` shows it), as containers do with some files in /etc: unmount it, or leave that "
    "path alone.",
    errno.EROFS: "That file system is mounted read-only: remount it, or set HOLDFAST_STORE to a writable directory.",
    errno.EACCES: "Run the command as the owner of that path (often: with sudo), or set HOLDFAST_STORE to a directory of yours.",
    errno.EPERM: "Run the command as the owner of that path (often: with sudo), or set HOLDFAST_STORE to a directory of yours.",
    errno.ENOTDIR: "Something on that path is a file, not a directory: move it away, or choose another path.",
    errno.EMFILE: "Raise the limit on open files (`ulimit -n 4096`), then run the command again.",
}


def _resolution(number: int) -> str:
    if number in (errno.EACCES, errno.EPERM) and os.geteuid() == 0:
        return (
            "Root may not do it either: it may be immutable (`lsattr -d` tells, `chattr -i` changes that), on a file system of somebody else,"
            " or kept by a security module (`journalctl -k`)."
        )
    return _RESOLUTIONS.get(number, "")


@contextmanager
def explain_os_errors(doing: str) -> Generator[None]:
    """Turn an ``OSError`` of the body into a :class:`HoldfastError` that says what was being done.

    ``doing`` completes the sentence "cannot ...": ``explain_os_errors("write the blob")``.
    """
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0) or (os.strerror(error.errno) if error.errno else str(error))
        where = f": {error.filename!s}" if error.filename is not None else ""
        raise HoldfastError(
            f"cannot {doing}: {reason}{where}",
            resolution=_resolution(error.errno or 0),
        ) from error
