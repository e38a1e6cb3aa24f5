"""Reading and changing a system's tree from outside. Its links lead where they would on the system itself, never onto this machine.

For a tree in which nothing runs any more: what is found is still so a moment later. Files are replaced and never written
through, since a file may be shared with the package cache by a hard link.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from holdfast.sandbox.mounts import resolve_inside


def locate(tree: Path, path: str) -> Path:
    """Where ``path`` lies in ``tree``; its last component is not followed."""
    directory, _, name = path.rpartition("/")
    return resolve_inside(tree, directory) / name


def read(tree: Path, path: str) -> str | None:
    """Text of a regular file, links followed inside of ``tree``; None when there is none."""
    place = resolve_inside(tree, path)
    return place.read_text(errors="surrogateescape") if place.is_file() else None


def write(tree: Path, path: str, text: str, *, mode: int = 0o644) -> Path:
    """Put a file in place of whatever is there but a directory; returns where.

    Parents are made where they are missing. Neither file nor parents depend on the umask.

    Raises:
        OSError: a directory is there, or it cannot be written.
    """
    directory, _, name = path.rpartition("/")
    place = make_directory(tree, directory) / name
    place.unlink(missing_ok=True)
    with place.open("x", errors="surrogateescape") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(text)
    return place


def link(tree: Path, path: str, target: str) -> None:
    """Put a symbolic link in place of whatever is there but a directory; parents as in :func:`write`."""
    directory, _, name = path.rpartition("/")
    place = make_directory(tree, directory) / name
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def make_directory(tree: Path, path: str) -> Path:
    """The real place of a directory in ``tree``, made with mode 0755 where it is missing."""
    place = resolve_inside(tree, path)
    missing = [place, *place.parents]
    for directory in reversed(missing[: missing.index(tree)]):
        if not directory.is_dir():
            directory.mkdir()
            directory.chmod(0o755)
    return place


def matches(tree: Path, pattern: str) -> Iterator[Path]:
    """What a pattern with wildcards in its last component stands for, in order of the names."""
    directory, _, last = pattern.rpartition("/")
    place = resolve_inside(tree, directory)
    if place.is_dir():
        for name in sorted(os.listdir(place)):  # noqa: PTH208 - names, not paths
            if fnmatchcase(name, last):
                yield place / name
