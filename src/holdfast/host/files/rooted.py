"""A root file system as an open directory: no path, link or race leads out of it.

Every component is opened relative to its parent's descriptor with O_NOFOLLOW; links are resolved here, as chroot(2)
would, and ``..`` never climbs above the root. :meth:`RootDirectory.locate` resolves links and says where a path
really is; everything that writes takes such a real path and refuses any link on the way.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import field, replace
from pathlib import Path
from typing import BinaryIO

from holdfast.base.digests import digest_bytes, digest_stream
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Absent, File, Folder, Node, Special, Symlink

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How a file is opened to be read: a pipe that somebody put in its place is not waited for."""
_LARGE = 1 << 33
_MAX_LINKS = 40  # what the kernel allows, see path_resolution(7)

_SPECIAL = {
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
}


@dataclass(frozen=True)
class Located:
    """Where a path really is in a root, and what is there."""

    real: str
    """The path with the links among its parents resolved; its last component is not followed."""
    node: Node
    missing: tuple[str, ...] = ()
    """Parent directories that are not there yet, outermost first."""
    blocked: str = ""
    """Why the path cannot be reached, in words; empty when it can."""
    names: tuple[str, ...] = ()
    """For a directory: what is in it, sorted."""
    links: tuple[str, ...] = ()
    """Real paths of the links that were followed on the way."""
    attributes: Mapping[str, str] = field(default_factory=lambda: {})
    """For a regular file: its extended attributes in base64, ACLs, capabilities and the SELinux label among them (xattr(7))."""


class RootDirectory:
    """An open root directory. Close it, or use it as a context manager.

    Links that somebody other than the root's owner made are not followed: a user could otherwise point
    ``~/.ssh`` at ``/etc`` and wait for a file to be written there.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.owner = os.fstat(self._descriptor).st_uid

    def __enter__(self) -> RootDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def locate(self, path: str, *, ignoring: frozenset[str] = frozenset(), follow: bool = False) -> Located:
        """Find ``path``. Real paths in ``ignoring`` count as absent (they are about to be removed).

        ``follow`` also resolves a link at the last component.

        Raises:
            OSError: the root cannot be read.
        """
        return self._walk(path, ignoring, follow, _read_file)

    def _walk(self, path: str, ignoring: frozenset[str], follow: bool, read: _ReadFile) -> Located:
        walk = _Walk(self._descriptor, self.owner, path, ignoring, follow, read)
        try:
            return walk.run()
        finally:
            walk.close()

    @contextmanager
    def parent(self, real: str) -> Generator[tuple[int, str]]:
        """The descriptor of a real path's directory, and its last component.

        Raises:
            HoldfastError: a component is a link or no directory: the root changed under us.
        """
        names = [name for name in real.split("/") if name]
        if not names:
            raise HoldfastError("the root directory itself cannot be replaced")
        descriptor = os.dup(self._descriptor)
        try:
            for index, name in enumerate(names[:-1]):
                try:
                    inner = os.open(name, _DIRECTORY, dir_fd=descriptor)
                except OSError as error:
                    if error.errno not in (errno.ELOOP, errno.ENOTDIR, errno.ENOENT):
                        raise
                    raise HoldfastError(
                        f"/{'/'.join(names[: index + 1])} is no directory any more, needed for {real}",
                        resolution="Something else changed it meanwhile; run the command again.",
                    ) from None
                os.close(descriptor)
                descriptor = inner
            yield descriptor, names[-1]
        finally:
            os.close(descriptor)

    @contextmanager
    def open(self, path: str) -> Generator[BinaryIO]:
        """Read a regular file, links resolved inside the root.

        Raises:
            FileNotFoundError: it is not there, or it is no regular file.
        """
        located = self._walk(path, frozenset(), True, _glance)
        if not isinstance(located.node, File):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with self.parent(located.real) as (directory, name):
            descriptor = os.open(name, READ, dir_fd=directory)
            with os.fdopen(descriptor, "rb") as stream:
                if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
                yield stream

    def read(self, path: str, *, at_most: int = -1) -> bytes | None:
        """Content of a regular file, links resolved inside the root; None when there is none.

        ``at_most``: bytes of it, for files whose owner may have made them as large as they like.
        """
        try:
            with self.open(path) as stream:
                return stream.read(at_most)
        except FileNotFoundError:
            return None

    def scan(self, path: str) -> dict[str, Node]:
        """Names in a directory and what they are (files are not hashed: their digest is that of the empty file)."""
        located = self.locate(path, follow=True)
        if not isinstance(located.node, Folder):
            return {}
        found: dict[str, Node] = {}
        with self.parent(located.real + "/.") as (directory, _):
            for name in located.names:
                with suppress(FileNotFoundError):
                    found[name] = read_node(directory, name, hashing=False)
        return found


def read_node(directory: int, name: str, *, hashing: bool = True) -> Node:
    """What is at ``name`` in an open directory.

    Raises:
        FileNotFoundError: nothing is.
    """
    status = os.stat(name, dir_fd=directory, follow_symlinks=False)
    return _node(directory, name, status, _hash if hashing else _no_hash)


def _node(
    directory: int, name: str, status: os.stat_result, read: Callable[[int, str, os.stat_result], File]
) -> Node:
    if stat.S_ISREG(status.st_mode):
        if status.st_size > _LARGE and status.st_blocks * 512 < status.st_size // 16:
            return Special("a file of almost nothing but holes")  # to read it would take hours
        return read(directory, name, status)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(name, dir_fd=directory)
        if any("\ud800" <= char <= "\udfff" for char in target):
            return Special("a link whose target is not UTF-8")  # nothing of ours could write it down
        return Symlink(target)
    if stat.S_ISDIR(status.st_mode):
        return Folder(_mode(status), status.st_uid, status.st_gid)
    return Special(_SPECIAL.get(stat.S_IFMT(status.st_mode), "a special file"))


def _mode(status: os.stat_result) -> str:
    return f"{stat.S_IMODE(status.st_mode):04o}"


def read_attributes(file: int) -> dict[str, str]:
    """Extended attributes of an open file that belong to it wherever it is; those of an overlay mount do not."""
    try:
        names = os.listxattr(file)
        return {
            name: base64.b64encode(os.getxattr(file, name)).decode()
            for name in sorted(names)
            if not name.startswith("trusted.overlay.")
        }
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.ENODATA):
            return {}
        raise


def write_attributes(file: int, attributes: Mapping[str, str]) -> None:
    """Give an open file the attributes that :func:`read_attributes` found; what its file system does not know is left out."""
    for name, value in attributes.items():
        try:
            os.setxattr(file, name, base64.b64decode(value))
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise


def _hash(directory: int, name: str, status: os.stat_result) -> File:
    descriptor = os.open(name, READ, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as stream:
        return File(digest_stream(stream), _mode(status), status.st_uid, status.st_gid)


def _no_hash(_directory: int, _name: str, status: os.stat_result) -> File:
    return File(_EMPTY, _mode(status), status.st_uid, status.st_gid)


_ReadFile = Callable[[int, str], "tuple[File, Mapping[str, str]]"]
"""What a regular file is, and its extended attributes, of its directory and name."""


def _read_file(directory: int, name: str) -> tuple[File, Mapping[str, str]]:
    descriptor = os.open(name, READ, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        node = File(digest_stream(stream), _mode(status), status.st_uid, status.st_gid)
        return node, read_attributes(descriptor)


def _glance(_directory: int, _name: str) -> tuple[File, Mapping[str, str]]:
    return File(_EMPTY), {}


class _Walk:
    """One resolution of one path: a stack of open directories, and the components still to go."""

    def __init__(
        self, root: int, owner: int, path: str, ignoring: frozenset[str], follow: bool, read: _ReadFile
    ) -> None:
        self._root, self._owner, self._path, self._read = root, owner, path, read
        self._ignoring, self._follow = ignoring, follow
        self._names: list[str] = []
        self._stack: list[int] = [os.dup(root)]
        self._todo: deque[tuple[str, str]] = deque((name, "") for name in _components(path))
        self._links: list[str] = []

    def close(self) -> None:
        for descriptor in self._stack:
            os.close(descriptor)

    def run(self) -> Located:
        return replace(self._resolve(), links=tuple(self._links))

    def _resolve(self) -> Located:
        while self._todo:
            name, link = self._todo.popleft()
            if name == "..":
                self._climb()
                continue
            real = "/" + "/".join([*self._names, name])
            found = self._look(name, real)
            if isinstance(found, Absent):
                return self._missing(real, link)
            if isinstance(found, Symlink) and (self._todo or self._follow):
                refusal = self._follow_link(real, found)
                if refusal:
                    return Located(self._path, Absent(), blocked=refusal)
                continue
            if not isinstance(found, Folder):
                if self._todo:
                    return Located(self._path, Absent(), blocked=f"{real} is {_article(found)}")
                if not isinstance(found, File):
                    return Located(real, found)
                file, attributes = self._read(self._stack[-1], name)
                return Located(real, file, attributes=attributes)
            self._enter(name)
        status = os.fstat(self._stack[-1])
        node = Folder(_mode(status), status.st_uid, status.st_gid)
        return Located("/" + "/".join(self._names), node, names=_names(self._stack[-1]))

    def _look(self, name: str, real: str) -> Node:
        if real in self._ignoring:
            return Absent()
        try:
            status = os.stat(name, dir_fd=self._stack[-1], follow_symlinks=False)
            self._link_owner = status.st_uid
            return _node(self._stack[-1], name, status, _no_hash)
        except FileNotFoundError:
            return Absent()

    def _enter(self, name: str) -> None:
        self._stack.append(os.open(name, _DIRECTORY, dir_fd=self._stack[-1]))
        self._names.append(name)

    def _climb(self) -> None:
        if self._names:
            self._names.pop()
            os.close(self._stack.pop())

    def _follow_link(self, real: str, link: Symlink) -> str:
        """Put the link's target in front of what is still to go; returns why not, or nothing."""
        self._links.append(real)
        if len(self._links) > _MAX_LINKS:
            return f"{real} leads round in a circle of links"
        if self._link_owner not in (0, self._owner):
            return f"{real} is a link made by uid {self._link_owner}, not by root, so it is not followed"
        if link.target.startswith("/"):
            while self._names:
                self._climb()
        self._todo.extendleft((name, real) for name in reversed(_components(link.target)))
        return ""

    def _missing(self, real: str, link: str) -> Located:
        if link:
            return Located(
                self._path, Absent(), blocked=f"the link {link} leads to {real}, which is not there"
            )
        missing = [real]
        for name, _ in self._todo:
            missing.append(f"{missing[-1]}/{name}")
        return Located(missing[-1], Absent(), missing=tuple(missing[:-1]))


def _names(directory: int) -> tuple[str, ...]:
    with os.scandir(directory) as entries:
        return tuple(sorted(entry.name for entry in entries))


def _components(path: str) -> list[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _article(node: Node) -> str:
    return "a file" if isinstance(node, File) else node.what if isinstance(node, Special) else node.kind


_EMPTY = digest_bytes(b"")
