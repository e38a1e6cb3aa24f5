"""Doing what a plan says, below an open root directory that nobody else uses. It decides nothing."""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress

from holdfast.base.digests import hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.host import state as places
from holdfast.host.files.actions import (
    Action,
    Drop,
    Keep,
    MakeDirectory,
    PutFile,
    PutLink,
    Remove,
    RemoveDirectory,
    SetDirectory,
)
from holdfast.host.files.content import NEW, Blobs, Contents, copy_into, remove_directory, set_directory
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.planning.plan import Plan


def apply_plan(root: RootDirectory, plan: Plan, *, blobs: Blobs) -> None:
    """Carry out ``plan`` in order. Content comes from the plan, from what is kept in the root, or from ``blobs``.

    Nothing is made durable here: the caller syncs when it must be.

    Raises:
        HoldfastError: an action cannot be done; those before it have been.
    """
    work = _Applying(root, Contents(plan.contents, root, blobs))
    for action in (*plan.actions, *plan.record):
        with explain_os_errors(f"change {action.path} ({action.reason})"):
            work.do(action)


class _Applying:
    def __init__(self, root: RootDirectory, contents: Contents) -> None:
        self._root, self._contents = root, contents

    def do(self, action: Action) -> None:
        with self._root.parent(action.path) as (directory, name):
            if isinstance(action, Keep):
                self._keep(directory, name, action)
            elif isinstance(action, PutFile):
                with _beside(directory) as temporary:
                    self._contents.make(directory, temporary, action.node, action.attributes)
                    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            elif isinstance(action, PutLink):
                with _beside(directory) as temporary:
                    os.symlink(action.node.target, temporary, dir_fd=directory)
                    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            elif isinstance(action, MakeDirectory):
                os.mkdir(name, 0o700, dir_fd=directory)
                set_directory(directory, name, action.node)
            elif isinstance(action, SetDirectory):
                set_directory(directory, name, action.node)
            elif isinstance(action, Remove):
                os.unlink(name, dir_fd=directory)
            elif isinstance(action, RemoveDirectory):
                remove_directory(directory, name)
            else:
                self._drop(action)

    def _keep(self, directory: int, name: str, action: Keep) -> None:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        with os.fdopen(source, "rb") as stream:
            kept = f"{places.KEPT}/{hex_of(action.digest)}"
            with self._root.parent(kept) as (target, kept_name), _beside(target) as temporary:
                descriptor = os.open(temporary, NEW, 0o600, dir_fd=target)
                try:
                    found = copy_into(stream, descriptor)
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
