"""Putting an engine in its place on a machine: unpacked and compiled once, visible all at once, older ones removed."""

from __future__ import annotations

import errno
import fcntl
import os
import py_compile
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from holdfast.base.atomic import replace_link, sync_directory, sync_file_system, write_atomically
from holdfast.base.codec import canonical_json
from holdfast.base.digests import Digest, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message, stage
from holdfast.base.locks import file_lock
from holdfast.base.records import dataclass
from holdfast.engine import launch
from holdfast.engine.about import ABOUT, About
from holdfast.engine.archive import unpack

_WAIT_SECONDS = 120.0
_CURRENT = "current"
_NEW = ".new-"


@dataclass(frozen=True)
class Installed:
    """An engine in its place."""

    digest: Digest
    version: str
    path: str
    """Its directory; ``sh PATH/run VERB ...`` starts it."""
    new: bool
    """It was not there before."""
    removed: tuple[str, ...]
    """Older engines that went, by the digits of their digest."""


def install(
    archive: Path,
    *,
    expected: Digest | None = None,
    home: Path = Path(launch.ENGINE_HOME),
    launcher: Path = Path(launch.LAUNCHER),
) -> Installed:
    """Unpack ``archive`` below ``home``, make it the current engine and keep the one before. Done again, it changes nothing.

    Raises:
        HoldfastError: the archive is damaged or another than ``expected``, or the disk cannot be written.
    """
    contents, about = unpack(archive)
    if expected is not None and about.digest != expected:
        raise HoldfastError(
            f"{archive} is the engine {hex_of(about.digest)[:12]}, not {hex_of(expected)[:12]}",
            resolution="Copy the right one here.",
        )
    place = home / hex_of(about.digest)
    with explain_os_errors(f"install the engine in {home}"):
        home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o755, exist_ok=True)
        home.chmod(0o755)
        with file_lock(home / "lock", wait_seconds=_WAIT_SECONDS, purpose="installing the engine"):
            new = not _is_whole(place, contents)
            if new:
                _put_in_place(place, contents, about)
            before = _current(home)
            if before != place.name:
                replace_link(home / _CURRENT, place.name)
                sync_directory(home)
            removed = _remove_old(home, {place.name, before if before != place.name else _previous(home)})
            if before not in (None, place.name):
                write_atomically(home / "previous", f"{before}\n".encode())
    _put_launcher(launcher)
    return Installed(about.digest, about.version, str(place), new, removed)


def _is_whole(place: Path, contents: Mapping[str, bytes]) -> bool:
    try:
        return all((place / name).read_bytes() == data for name, data in contents.items())
    except (FileNotFoundError, NotADirectoryError):
        return False


def _put_in_place(place: Path, contents: Mapping[str, bytes], about: About) -> None:
    new = place.with_name(f"{_NEW}{secrets.token_hex(6)}")
    try:
        with stage("Installing the engine"):
            for name, data in {**contents, ABOUT: canonical_json(about)}.items():
                path = new / name
                path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
                path.write_bytes(data)
            _compile(new, place)
            for directory, _, names in os.walk(new):  # whatever the umask of whoever installs
                Path(directory).chmod(0o755)
                for name in names:
                    Path(directory, name).chmod(0o644)
            sync_file_system(new)
        if place.is_dir():  # damaged
            place.rename(place.with_name(f"{_NEW}{secrets.token_hex(6)}"))
        new.rename(place)
        sync_directory(place.parent)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _compile(new: Path, place: Path) -> None:
    """Never checked against its source, which never changes: one stat(2) less for each module at every start."""
    for path in new.rglob("*.py"):
        try:
            py_compile.compile(
                str(path),
                dfile=str(place / path.relative_to(new)),
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            pass  # a module for a newer Python than the machine's
        except OSError as error:  # importlib says by a text alone that not all could be written
            raise OSError(error.errno or errno.ENOSPC, os.strerror(error.errno or errno.ENOSPC)) from None


def _current(home: Path) -> str | None:
    try:
        return str((home / _CURRENT).readlink())
    except OSError:
        return None


def _previous(home: Path) -> str | None:
    try:
        return (home / "previous").read_text().strip()
    except OSError:
        return None


def _remove_old(home: Path, kept: set[str | None]) -> tuple[str, ...]:
    """Remove every engine but ``kept`` and those that run; and what an interrupted installation left."""
    removed: list[str] = []
    for entry in sorted(home.iterdir()):
        leftover = entry.name.startswith(_NEW)
        if entry.name in kept or not (leftover or len(entry.name) == 64) or not entry.is_dir():
            continue
        descriptor = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        gone = home / f"{_NEW}{secrets.token_hex(6)}"
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            entry.rename(gone)
        except BlockingIOError:
            continue
        finally:
            os.close(descriptor)
        shutil.rmtree(gone, ignore_errors=True)
        if not leftover:
            removed.append(entry.name)
    return tuple(removed)


def _put_launcher(launcher: Path) -> None:
    """A /usr that is read-only is no reason not to look after the machine: the author's side starts the engine by its path."""
    wanted = launch.COMMAND.encode()
    try:
        if (
            launcher.is_file()
            and launcher.read_bytes() == wanted
            and launcher.stat().st_mode & 0o777 == 0o755
        ):
            return
        there = launcher.read_bytes() if launcher.exists() else launch.COMMAND.encode()
        if b"from holdfast.cli" in there:
            return  # the author's own command, on their machine: it does all that ours does
        if b"Made by Holdfast" not in there:
            message(f"{launcher} is somebody else's program: it stays as it is", level="warning")
            return
        launcher.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomically(launcher, wanted, mode=0o755)
    except OSError as error:
        message(f"the command {launcher} could not be written: {error.strerror}", level="warning")
