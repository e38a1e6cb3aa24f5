"""Doing what a plan says, below an open root directory. It decides nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from holdfast.base.digests import Digest, hex_of, parse_digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.host import state as places
from holdfast.host.actions import (
    Action,
    Attributes,
    Drop,
    Keep,
    MakeDirectory,
    PutFile,
    PutLink,
    Remove,
    RemoveDirectory,
    SetDirectory,
)
from holdfast.host.nodes import File, Folder
from holdfast.host.plan import Plan
from holdfast.host.rooted import RootDirectory, write_attributes

_CHUNK = 1 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Blobs = Callable[[Digest], BinaryIO]


def apply_plan(root: RootDirectory, plan: Plan, *, blobs: Blobs) -> None:
    """Carry out ``plan`` in order. Content comes from the plan, from what is kept in the root, or from ``blobs``.

    Nothing is made durable here: the caller syncs when it must be.

    Raises:
        HoldfastError: an action cannot be done; those before it have been.
    """
    work = _Applying(root, plan, blobs)
    for action in (*plan.actions, *plan.record):
        with explain_os_errors(f"change {action.path} ({action.reason})"):
            work.do(action)


class _Applying:
    def __init__(self, root: RootDirectory, plan: Plan, blobs: Blobs) -> None:
        self._root, self._plan, self._blobs = root, plan, blobs

    def do(self, action: Action) -> None:
        with self._root.parent(action.path) as (directory, name):
            if isinstance(action, Keep):
                self._keep(directory, name, action)
            elif isinstance(action, PutFile):
                self._put_file(directory, name, action.node, action.attributes)
            elif isinstance(action, PutLink):
                _put_link(directory, name, action.node.target)
            elif isinstance(action, MakeDirectory):
                os.mkdir(name, 0o700, dir_fd=directory)
                _set_directory(directory, name, action.node)
            elif isinstance(action, SetDirectory):
                _set_directory(directory, name, action.node)
            elif isinstance(action, Remove):
                os.unlink(name, dir_fd=directory)
            elif isinstance(action, RemoveDirectory):
                _remove_directory(directory, name)
            else:
                self._drop(action)

    def _put_file(self, directory: int, name: str, node: File, attributes: Attributes) -> None:
        with _beside(directory) as temporary:
            descriptor = os.open(temporary, _NEW, 0o600, dir_fd=directory)
            try:
                self._fill(descriptor, node.digest)
                os.fchown(descriptor, node.uid, node.gid)
                write_attributes(descriptor, attributes)
                os.fchmod(descriptor, int(node.mode, 8))  # after the owner: chown(2) clears setuid
            finally:
                os.close(descriptor)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)

    def _fill(self, descriptor: int, digest: Digest) -> None:
        data = self._plan.contents.get(digest)
        if data is not None:
            _write(descriptor, data)
            return
        try:
            with self._root.open(f"{places.KEPT}/{hex_of(digest)}") as stream:
                found = _copy(stream, descriptor)
        except FileNotFoundError:
            with self._blobs(digest) as stream:
                found = _copy(stream, descriptor)
        if found != digest:
            raise HoldfastError(
                f"stored content is damaged: {digest} reads as {found}",
                resolution="Run `holdfast store verify`: it names what must be fetched or built again.",
            )

    def _keep(self, directory: int, name: str, action: Keep) -> None:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        with os.fdopen(source, "rb") as stream:
            kept = f"{places.KEPT}/{hex_of(action.digest)}"
            with self._root.parent(kept) as (target, kept_name), _beside(target) as temporary:
                descriptor = os.open(temporary, _NEW, 0o600, dir_fd=target)
                try:
                    found = _copy(stream, descriptor)
                finally:
                    os.close(descriptor)
                if found != action.digest:
                    raise HoldfastError(
                        f"{action.path} changed while this was being planned",
                        resolution="Run the command again.",
                    )
                os.rename(temporary, kept_name, src_dir_fd=target, dst_dir_fd=target)

    def _drop(self, action: Drop) -> None:
        with self._root.parent(f"{places.KEPT}/{hex_of(action.digest)}") as (directory, name):
            os.unlink(name, dir_fd=directory)


def _put_link(directory: int, name: str, target: str) -> None:
    with _beside(directory) as temporary:
        os.symlink(target, temporary, dir_fd=directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def _set_directory(directory: int, name: str, node: Folder) -> None:
    descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
    try:
        os.fchown(descriptor, node.uid, node.gid)
        os.fchmod(descriptor, int(node.mode, 8))
    finally:
        os.close(descriptor)


def _remove_directory(directory: int, name: str) -> None:
    try:
        os.rmdir(name, dir_fd=directory)
    except OSError as error:
        # Somebody else's files are in it, or somebody else removed it: both leave nothing for us to do.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise


@contextmanager
def _beside(directory: int) -> Generator[str]:
    """A name for a temporary file that is gone if the body fails."""
    temporary = f".holdfast-{secrets.token_hex(8)}"
    try:
        yield temporary
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        raise


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy(stream: BinaryIO, descriptor: int) -> Digest:
    """Copy to the end; returns the digest of what was copied."""
    state = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
        _write(descriptor, chunk)
    return parse_digest(state.hexdigest())
