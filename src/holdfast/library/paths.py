"""Absolute paths as keys: one spelling for each place, so that two definitions of it meet."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

_KERNEL = ("/proc", "/sys", "/dev")


def check_path(path: str) -> str:
    """``path`` itself when it is absolute and in its one normal spelling.

    Raises:
        ValueError: it is not; the message has the spelling to write.
    """
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not absolute: begin it with /")
    if "\0" in path or "\n" in path or any("\ud800" <= char <= "\udfff" for char in path):
        raise ValueError(f"{path!r} contains a line break, a NUL, or bytes that are not UTF-8")
    if ".." in path.split("/"):
        raise ValueError(f"{path!r} contains '..', which means another place where a link is on the way")
    normal = normalise(path)
    if normal != path:
        raise ValueError(f"{path!r} has a shorter spelling: write {normal!r}")
    return path


def check_managed_path(path: str) -> str:
    """:func:`check_path` for a path that a system's definition may put something at."""
    check_path(path)
    if path == "/" or any(path == root or path.startswith(root + "/") for root in _KERNEL):
        raise ValueError(f"{path!r} belongs to the kernel, not to the system's files")
    return path


def normalise(path: str) -> str:
    """An absolute path without doubled or trailing slashes and ``.`` components."""
    return "/" + posixpath.normpath(path).lstrip("/")


def parents(path: str) -> Iterable[str]:
    """The directories above ``path``, nearest first, without ``/``."""
    while (path := posixpath.dirname(path)) != "/":
        yield path
