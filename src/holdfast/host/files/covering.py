"""Files for a trial: what a change would do to files, done without touching the disk, so that a reboot ends it.

What is new in a directory that has a counterpart in /run goes there. A file that is there is covered by another one (a bind mount).
Where neither is possible, the directory is covered by itself with the changes laid over it, read-only, as systemd-confext(8) does.
Everything is on a tmpfs of its own, whose name marks every mount as ours.
"""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from holdfast.base import process
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.host.accounts.tables import ACCOUNT_FILES
from holdfast.host.files.actions import Action, Drop, Keep, MakeDirectory, PutFile, PutLink, SetDirectory
from holdfast.host.files.content import Contents, remove_directory, set_directory
from holdfast.host.files.nodes import Absent, File, Folder, Node, Symlink
from holdfast.host.live import Live
from holdfast.host.steps import CoverFiles, Layer, Piece, Step

TRIAL = "/run/holdfast/trial"
"""What is known of a trial, and its files: a reboot takes both."""
FILES = f"{TRIAL}/files"
_NAME = "holdfast-trial"
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")
_IN_RUN: Mapping[str, str] = {
    "/etc/systemd/system": "/run/systemd/system",
    "/etc/systemd/user": "/run/systemd/user",
    "/etc/systemd/network": "/run/systemd/network",
    "/etc/sysctl.d": "/run/sysctl.d",
    "/etc/modules-load.d": "/run/modules-load.d",
    "/etc/modprobe.d": "/run/modprobe.d",
    "/etc/udev/rules.d": "/run/udev/rules.d",
    "/etc/binfmt.d": "/run/binfmt.d",
}
"""Directories that their readers also look for in /run; what is in /etc wins there, so that only new names go."""
_COVERABLE = ("/etc", "/usr", "/opt", "/srv")
"""Where directories may be read-only for a while. Elsewhere programs keep their data."""


def cover(actions: Sequence[Action]) -> tuple[CoverFiles, tuple[str, ...]]:
    """How ``actions`` can be tried, and everything that cannot (pure)."""
    wanted = [action for action in actions if not isinstance(action, (Keep, Drop))]
    made: set[str] = {action.path for action in wanted if isinstance(action, MakeDirectory)}
    direct: dict[str, str] = {action.path: place for action in wanted if (place := _place_in_run(action))}
    rest = [action for action in wanted if action.path not in direct]
    problems = [
        f"{action.path}: people and packages cannot be tried"
        for action in rest
        if action.path in ACCOUNT_FILES or action.path.startswith("/var/lib/dpkg/")
    ]
    covered: set[str] = set()
    for action in rest:
        if isinstance(action, PutFile) and isinstance(action.before, File):
            continue
        directory = _nearest(action.path, made)
        if directory.startswith("/run/"):
            continue
        if not any(directory == one or directory.startswith(f"{one}/") for one in _COVERABLE):
            problems.append(
                f"{action.path}: nothing in {directory} can come or go only until the next reboot"
            )
        elif set(directory) & set(":,\\"):
            problems.append(
                f"{directory} cannot be covered: its name has a character that means something to mount(8)"
            )
        else:
            covered.add(directory)
    tops = sorted(
        one for one in covered if not any(one != other and one.startswith(f"{other}/") for other in covered)
    )
    layers = tuple(Layer(directory, f"{FILES}/layer-{number}") for number, directory in enumerate(tops))
    pieces = [_piece(action, direct, layers, number) for number, action in enumerate(wanted)]
    return CoverFiles(tuple(pieces), layers), tuple(problems)


def _place_in_run(action: Action) -> str:
    """Where something new is put in /run, or nothing."""
    new = isinstance(action, MakeDirectory) or isinstance(getattr(action, "before", None), Absent)
    if not new:
        return ""
    if action.path.startswith("/run/"):
        return action.path
    for directory, place in _IN_RUN.items():
        if action.path.startswith(f"{directory}/"):
            return place + action.path.removeprefix(directory)
    return ""


def _nearest(path: str, made: Collection[str]) -> str:
    """The directory above that is there already."""
    directory: str = posixpath.dirname(path)
    while directory in made:
        directory = posixpath.dirname(directory)
    return directory


def _piece(action: Action, direct: Mapping[str, str], layers: Sequence[Layer], number: int) -> Piece:
    node: Node = Absent()
    if isinstance(action, (PutFile, PutLink, MakeDirectory, SetDirectory)):
        node = action.node
    attributes: Mapping[str, str] = action.attributes if isinstance(action, PutFile) else {}
    if action.path in direct:
        if isinstance(node, Symlink):
            node = _aimed(action.path, node, direct)
        return Piece(action.path, direct[action.path], node, "run", attributes)
    for layer in layers:
        if action.path.startswith(f"{layer.directory}/"):
            place = layer.place + action.path.removeprefix(layer.directory)
            return Piece(action.path, place, node, "layer", attributes)
    return Piece(action.path, f"{FILES}/file-{number}", node, "bind", attributes)


def _aimed(path: str, link: Symlink, direct: Mapping[str, str]) -> Symlink:
    """The link as it has to be in /run, so that it leads to what it would lead to in /etc."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link.target))
    return Symlink(direct.get(target, target))


def check(step: CoverFiles, live: Live) -> tuple[str, ...]:
    """What on the machine is in the way, in words."""
    problems = [
        f"{one.place} is there already"
        for one in step.pieces
        if one.how == "run" and not isinstance(one.node, Folder) and os.path.lexists(one.place)
    ]
    points = [point for point, _ in read_mounts(live)]
    for layer in step.layers:
        below = [point for point in points if point.startswith(f"{layer.directory}/")]
        problems += [f"{layer.directory} cannot be covered: {point} is mounted in it" for point in below]
    for path in (
        *(one.path for one in step.pieces if one.how == "bind"),
        *(one.place for one in step.pieces if one.how == "run"),
        *(layer.directory for layer in step.layers),
    ):
        loose = _loose_directory(path)
        if loose:
            why = f"others than root can change {loose}, and lead a mount elsewhere meanwhile"
            problems.append(f"{path} cannot be tried: {why}")
    return tuple(problems)


def _loose_directory(path: str) -> str:
    """The outermost directory above that somebody other than root can put something else into; mount(2) would follow their links."""
    for parent in (*Path(path).parents,)[::-1]:
        try:
            found = parent.lstat()
        except FileNotFoundError:
            return ""  # it is made by us
        group = found.st_mode & stat.S_IWGRP and found.st_gid != 0
        if found.st_uid != 0 or found.st_mode & stat.S_IWOTH or group or not stat.S_ISDIR(found.st_mode):
            return str(parent)
    return ""


def read_mounts(live: Live) -> tuple[tuple[str, bool], ...]:
    """Every mount point in the order of mounting, and whether it is ours; see proc_pid_mountinfo(5)."""
    with explain_os_errors("read what is mounted"):
        lines = (live.path / "proc/self/mountinfo").read_bytes().split(b"\n")[:-1]
    found: list[tuple[str, bool]] = []
    for (
        line
    ) in lines:  # of bytes: users can mount things at names that have other line ends and spaces in them
        head, _, tail = line.partition(b" - ")
        point = os.fsdecode(_ESCAPED.sub(lambda escaped: bytes([int(escaped[1], 8)]), head.split(b" ")[4]))
        kind, source = tail.split(b" ")[:2]
        ours = source == _NAME.encode() and kind in (
            b"tmpfs",
            b"overlay",
        )  # anybody may call one of FUSE by our name
        found.append((point, ours))
    return tuple(found)


def lay(step: CoverFiles, contents: Contents) -> None:
    """Make the files and let them be seen.

    Raises:
        HoldfastError: the kernel refuses a mount, or content is missing.
    """
    with explain_os_errors("make the files of the trial"):
        Path(FILES).mkdir(0o700, parents=True, exist_ok=True)
        process.run(["mount", "-t", "tmpfs", "-o", "mode=0700", _NAME, FILES])
        for layer in step.layers:
            _like(Path(layer.directory), Path(layer.place))
        for piece in step.pieces:
            _make(piece, step, contents)
    for layer in step.layers:
        options = f"ro,lowerdir={layer.place}:{layer.directory}"
        process.run(["mount", "-t", "overlay", "-o", options, _NAME, layer.directory])
    for piece in step.pieces:
        if piece.how == "bind":
            process.run(["mount", "--bind", "--", piece.place, piece.path])


def _like(there: Path, place: Path) -> None:
    """A directory of a layer, which would otherwise change the one that it lies over."""
    place.mkdir(0o700)
    found = there.stat()
    os.chown(place, found.st_uid, found.st_gid)
    place.chmod(stat.S_IMODE(found.st_mode))


def _make(piece: Piece, step: CoverFiles, contents: Contents) -> None:
    place = Path(piece.place)
    _make_parents(piece, step)
    directory = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if isinstance(piece.node, File):
            contents.make(directory, place.name, piece.node, piece.attributes)
        elif isinstance(piece.node, Symlink):
            os.symlink(piece.node.target, place.name, dir_fd=directory)
        elif isinstance(piece.node, Folder):
            with suppress(FileExistsError):
                os.mkdir(place.name, 0o700, dir_fd=directory)
            set_directory(directory, place.name, piece.node)
        else:
            # What says in an overlay that nothing is there.
            os.mknod(place.name, stat.S_IFCHR, 0, dir_fd=directory)
    finally:
        os.close(directory)


def _make_parents(piece: Piece, step: CoverFiles) -> None:
    place = Path(piece.place)
    if piece.how == "run":
        place.parent.mkdir(0o755, parents=True, exist_ok=True)
        return
    layer = next((one for one in step.layers if place.is_relative_to(one.place)), None)
    if layer is None:
        return
    missing = [
        parent for parent in place.parents if parent.is_relative_to(layer.place) and not parent.exists()
    ]
    for parent in reversed(missing):
        _like(layer.directory / parent.relative_to(layer.place), parent)


def do(step: Step, live: Live) -> None:
    """Covering needs content: :func:`lay` does it."""
    raise NotImplementedError


def undo(step: Step, live: Live) -> None:
    """Let everything be seen again as it is.

    Raises:
        HoldfastError: the kernel refuses, or somebody has mounted something over ours.
    """
    assert isinstance(step, CoverFiles)
    while True:
        mounts = read_mounts(live)  # anew each time: where mounts propagate, one goes with another
        ours = [point for point, is_ours in mounts if is_ours]
        if not ours:
            break
        if not dict(mounts)[ours[-1]]:  # umount(8) takes the last one at a point
            raise HoldfastError(
                f"something else is mounted over {ours[-1]}, which the trial covers",
                resolution=f"Unmount it (`umount {ours[-1]}`), then run the command again.",
            )
        process.run(["umount", "--lazy", "--", ours[-1]])
    for piece in reversed(step.pieces):
        if piece.how == "run":
            _take_away(Path(piece.place), piece.node)


def _take_away(place: Path, node: Node) -> None:
    roots = {Path("/run"), *map(Path, _IN_RUN.values())}
    with suppress(FileNotFoundError, NotADirectoryError):
        directory = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if isinstance(node, Folder):
                remove_directory(directory, place.name)
            else:
                os.unlink(place.name, dir_fd=directory)
        finally:
            os.close(directory)
    for parent in place.parents:
        if parent in roots:
            break
        try:
            parent.rmdir()
        except OSError:
            break  # not ours alone
