"""Changing files so that every one of them can be put back: new content is staged beside its place, the old is held, then renamed.

What is replaced or removed is held by a hard link in the journal, so that putting it back brings back the very file, with owner,
times, ACLs, capabilities and labels; a copy with all of these where the file system is another one.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from holdfast.base.atomic import keeps_order, sync_directory, sync_file_system
from holdfast.base.digests import Digest, digest_bytes, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message
from holdfast.host import state as places
from holdfast.host.accounts.lock import account_lock
from holdfast.host.accounts.tables import FIELDS
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
from holdfast.host.files.content import (
    NEW,
    Contents,
    copy_into,
    copy_with_everything,
    opened,
    put_directory_back,
    remove_directory,
    set_directory,
)
from holdfast.host.files.merging import without_ours
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.files.rooted import READ, read_attributes, read_node
from holdfast.host.live import Live
from holdfast.host.steps import ChangeFiles, Commit, Step

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK)
"""What link(2) says where a file cannot have a second name there."""


class Files:
    """The file actions of one run."""

    def __init__(
        self, live: Live, transaction: str, held: Path, contents: Mapping[Digest, bytes] | None = None
    ) -> None:
        """``held``: the journal's directory of what is replaced. ``contents``: needed to stage, not to take back."""
        self._live, self._root = live, live.root
        self._transaction = transaction
        self._held_path = held
        self.contents = Contents(contents or {}, live.root, live.blobs)
        self._certain = True
        self._devices: dict[int, int] = {}
        """An open directory on each file system that was written to."""

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *_: object) -> None:
        for directory in self._devices.values():
            os.close(directory)
        self._devices.clear()

    def stage(self, steps: Sequence[Step]) -> None:
        """Put all new content beside its place and hold what it replaces; durable when this returns.

        Raises:
            HoldfastError: something is not as it was when the change was planned, content is damaged, or the disk is full.
        """
        with opened(self._held_path) as directory:
            self._note_device(directory)
        for number, step in enumerate(steps):
            if isinstance(step, (ChangeFiles, Commit)):
                for index, action in enumerate(step.actions):
                    with explain_os_errors(f"prepare {action.path}"):
                        self._stage(f"{number}-{index}", action)
        with explain_os_errors("write to the disk"):
            self.sync()

    def do(self, number: int, step: ChangeFiles | Commit) -> None:
        """Rename everything into place. A commit comes after everything else is durable, and is itself durable when this returns.

        Raises:
            HoldfastError: a path is not as it was when the change was planned, or cannot be changed.
        """
        home = self._held_path.parents[1]
        if isinstance(step, Commit):
            for device, directory in self._devices.items():
                if device != home.stat().st_dev or not keeps_order(directory):
                    sync_file_system(directory)
        with self._others_kept_out(step.actions):
            for index, action in enumerate(step.actions):
                with explain_os_errors(f"change {action.path} ({action.reason})"):
                    self._do(f"{number}-{index}", action)
                self._live.checkpoint(f"{number}-{index}")
        if isinstance(step, Commit):
            sync_directory(home)

    def undo(self, number: int, step: ChangeFiles | Commit, *, certain: bool = True) -> None:
        """Make every path what it was; a path that is so already is left alone. ``certain``: the step was begun.

        Raises:
            HoldfastError: paths that could not be put back; all others were.
        """
        problems: list[str] = []
        self._certain = certain
        with self._others_kept_out(step.actions):
            for index in reversed(range(len(step.actions))):
                action = step.actions[index]
                try:
                    self._undo(f"{number}-{index}", action)
                except (OSError, HoldfastError) as error:
                    problems.append(f"{action.path}: {error}")
                self._live.checkpoint(f"undo {number}-{index}")
        if isinstance(step, Commit):
            sync_directory(self._held_path.parents[1])  # before anything else is undone
        if problems:
            raise HoldfastError(
                f"{len(problems)} paths could not be put back",
                details="\n".join(f"- {problem}" for problem in problems),
                resolution=f"What was there is in {self._held_path}.",
            )

    def clean(self, steps: Sequence[Step]) -> None:
        """Once everything is taken back, and the journal says so: remove what was staged, and what was kept for it."""
        for number, step in enumerate(steps):
            if isinstance(step, (ChangeFiles, Commit)):
                for index, action in enumerate(step.actions):
                    if isinstance(action, (PutFile, PutLink)):
                        self._unstage(f"{number}-{index}", action.path)
                    elif isinstance(action, Keep):
                        self._kept_path(action.digest).unlink(missing_ok=True)
                self._live.checkpoint(f"clean {number}")

    def sync(self) -> None:
        """Make durable what was written."""
        for directory in self._devices.values():
            sync_file_system(directory)

    # --- staging ---

    def _stage(self, key: str, action: Action) -> None:
        if isinstance(action, Keep):
            self._keep(action)
            return
        if not isinstance(action, (PutFile, PutLink, Remove)):
            return
        if isinstance(action.before, (File, Symlink)):
            self._hold(key, action.path, action.before)
        if isinstance(action, Remove):
            return
        with self._nearest(action.path) as directory:
            self._note_device(directory)
            if isinstance(action, PutLink):
                os.symlink(action.node.target, self._temporary(key), dir_fd=directory)
            else:
                self.contents.make(directory, self._temporary(key), action.node, action.attributes)
                if action.edit:
                    # Where there can be no second name, the old content is put back as it was.
                    with suppress(OSError):
                        os.link(self._temporary(key), self._held_path / f"{key}-new", src_dir_fd=directory)

    def _hold(self, key: str, path: str, before: Node) -> None:
        held = self._held_path / key
        with self._root.parent(path) as (directory, name):
            self._note_device(directory)
            try:
                os.link(name, held, src_dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                raise _changed(path) from None
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
                copy_with_everything(directory, name, held)
        if _node_at(held) != before:
            raise _changed(path)

    def _keep(self, action: Keep) -> None:
        with self._root.parent(action.path) as (directory, name):
            source = os.open(name, READ, dir_fd=directory)
        temporary = self._held_path / "keeping"
        with os.fdopen(source, "rb") as stream:
            descriptor = os.open(temporary, NEW, 0o600)
            try:
                found = copy_into(stream, descriptor)
            finally:
                os.close(descriptor)
        if found != action.digest:
            raise _changed(action.path)
        temporary.rename(self._kept_path(action.digest))

    # --- forward ---

    def _do(self, key: str, action: Action) -> None:
        if isinstance(action, (Keep, Drop)):
            return  # kept when it was staged; forgetting it is part of taking back alone
        with self._root.parent(action.path) as (directory, name):
            if isinstance(action, (PutFile, PutLink)):
                self._check(directory, name, action)
                temporary = self._temporary(key)
                try:
                    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
                except FileNotFoundError:
                    with self._nearest(action.path, having=temporary) as source:
                        os.rename(temporary, name, src_dir_fd=source, dst_dir_fd=directory)
            elif isinstance(action, MakeDirectory):
                os.mkdir(name, 0o700, dir_fd=directory)
                set_directory(directory, name, action.node)
            elif isinstance(action, SetDirectory):
                set_directory(directory, name, action.node)
            elif isinstance(action, Remove):
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=directory)
            else:
                remove_directory(directory, name)

    def _check(self, directory: int, name: str, action: PutFile | PutLink) -> None:
        """Do not overwrite what somebody put there since the change was planned."""
        shared = isinstance(action, PutFile) and action.edit
        if isinstance(action.before, Absent) or shared:
            found = _node_in(directory, name)
            if found != action.before:
                raise _changed(action.path)

    # --- back ---

    def _undo(self, key: str, action: Action) -> None:
        if isinstance(action, (PutFile, PutLink)) and self._is_staged(key, action.path):
            return  # it was not put in place; what says so stays until everything is taken back
        if isinstance(action, (Keep, Drop)):
            return
        nothing = isinstance(action, MakeDirectory) or isinstance(getattr(action, "before", None), Absent)
        if nothing and not self._reaches(action.path):
            return  # not even the directory is there
        with self._root.parent(action.path) as (directory, name):
            self._note_device(directory)
            if isinstance(action, MakeDirectory):
                remove_directory(directory, name)
            elif isinstance(action, RemoveDirectory):
                put_directory_back(directory, name, action.before, f"{self._temporary(key)}-back")
            elif isinstance(action, SetDirectory):
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=directory)
                set_directory(directory, name, action.before)
            elif isinstance(action, PutFile) and action.edit and self._take_out(key, directory, name, action):
                message(f"{action.path} was changed by others meanwhile: their lines stay", level="warning")
            elif isinstance(action.before, (File, Symlink)):
                self._put_back(key, directory, name, action.before)
            elif isinstance(action, (PutFile, PutLink)) and (
                self._certain or _node_in(directory, name) == action.node
            ):
                # A directory there is the one that was, put back by a recovery that did not come to its end.
                with suppress(FileNotFoundError, IsADirectoryError):
                    os.unlink(name, dir_fd=directory)

    def _put_back(self, key: str, directory: int, name: str, before: Node) -> None:
        held = self._held_path / key
        if not os.path.lexists(held):  # never held: never replaced
            if _node_in(directory, name) != before:
                raise HoldfastError(f"what was there is not in {self._held_path}")
            return
        with suppress(FileNotFoundError):
            if os.path.samestat(held.lstat(), os.stat(name, dir_fd=directory, follow_symlinks=False)):
                return
        temporary = f"{self._temporary(key)}-back"  # not the name of what is staged: that one means that nothing was done
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        try:
            os.link(held, temporary, dst_dir_fd=directory, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            if _node_in(directory, name) == before:
                return
            with opened(self._held_path) as source:
                copy_with_everything(source, key, temporary, to=directory)
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)

    def _take_out(self, key: str, directory: int, name: str, action: PutFile) -> bool:
        """Take our lines out of a shared file that others changed meanwhile; False if nobody did."""
        found = _node_in(directory, name)
        held, ours = self._held_path / key, self._held_path / f"{key}-new"
        if not isinstance(found, File) or found in (action.node, action.before):
            return False
        if not (held.exists() and ours.exists()):
            return False
        descriptor = os.open(name, READ, dir_fd=directory)
        with os.fdopen(descriptor, "rb") as stream:
            data = without_ours(held.read_bytes(), ours.read_bytes(), stream.read())
            attributes = read_attributes(stream.fileno())
        temporary = f"{self._temporary(key)}-back"
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=directory)
        node = replace(found, digest=digest_bytes(data))
        Contents({node.digest: data}, self._root, self._live.blobs).make(
            directory, temporary, node, attributes
        )
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        return True

    def _is_staged(self, key: str, path: str) -> bool:
        """Whether what was staged for a path is still there: then it was not put in place."""
        with suppress(FileNotFoundError), self._nearest(path, having=self._temporary(key)):
            return True
        return False

    def _unstage(self, key: str, path: str) -> None:
        temporary = self._temporary(key)
        with suppress(FileNotFoundError), self._nearest(path, having=temporary) as directory:
            os.unlink(temporary, dir_fd=directory)

    # --- places ---

    def _temporary(self, key: str) -> str:
        return f".holdfast-{self._transaction}-{key}"

    @contextmanager
    def _nearest(self, path: str, *, having: str = "") -> Generator[int]:
        """The nearest directory above ``path`` that is there (and has the name ``having``): things are staged in it.

        Raises:
            FileNotFoundError: none has that name.
        """
        parts = [part for part in path.split("/") if part]
        for count in range(len(parts) - 1, -1, -1):
            above = "/".join(parts[:count])
            with ExitStack() as stack:
                try:
                    directory, _ = stack.enter_context(self._root.parent(f"/{above}/x"))
                    if having:
                        os.stat(having, dir_fd=directory, follow_symlinks=False)
                except (HoldfastError, FileNotFoundError):
                    continue
                yield directory
                return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), having)

    def _kept_path(self, digest: Digest) -> Path:
        return self._held_path.parents[1] / Path(places.KEPT).name / hex_of(digest)

    def _reaches(self, path: str) -> bool:
        """Whether the directory of a path is there."""
        located = self._root.locate(path.rpartition("/")[0] or "/")
        return isinstance(located.node, Folder)

    def _note_device(self, directory: int) -> None:
        device = os.fstat(directory).st_dev
        if device not in self._devices:
            self._devices[device] = os.dup(directory)

    @contextmanager
    def _others_kept_out(self, actions: Sequence[Action]) -> Generator[None]:
        """Hold the lock of the account files where they change and other programs run."""
        names = {
            posixpath.basename(action.path)
            for action in actions
            if isinstance(action, PutFile) and action.edit
        }
        shared = not names.isdisjoint(FIELDS)  # wherever links lead to
        with ExitStack() as stack:
            if shared and self._live.running:
                stack.enter_context(account_lock(self._root))
            yield


def _changed(path: str) -> HoldfastError:
    return HoldfastError(
        f"{path} was changed by something else while this change was being made",
        resolution="Run the command again.",
    )


def _node_in(directory: int, name: str) -> Node:
    try:
        return read_node(directory, name)
    except FileNotFoundError:
        return Absent()


def _node_at(path: Path) -> Node:
    with opened(path.parent) as directory:
        return _node_in(directory, path.name)
