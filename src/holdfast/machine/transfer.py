"""Files to and from a machine, as tar in a pipe: it works the same over every way to run a command."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from holdfast.base.errors import HoldfastError, explain_os_errors


def split(path: str) -> tuple[str, str]:
    """Parent and name of an absolute path inside a machine.

    Raises:
        HoldfastError: the path is relative, or has no name.
    """
    pure = PurePosixPath(path)
    if not pure.is_absolute() or not pure.name or ".." in pure.parts:
        raise HoldfastError(f"{path!r} is no absolute path of a file on a machine")
    return str(pure.parent), pure.name


def pack(source: Path, name: str) -> bytes:
    """``source``, a file or a tree, as a tar whose only top entry is ``name``; owned by root."""

    def owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    buffer = io.BytesIO()
    with (
        explain_os_errors(f"read {source}"),
        tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.add(source, arcname=name, filter=owned_by_root)
    return buffer.getvalue()


def unpack(data: bytes, name: str, target: Path) -> None:
    """Write the entry ``name`` of a tar, with what is below it, as ``target``, which must not exist.

    The archive comes from a machine under test and is not trusted: nothing is written outside ``target``, nor through a link,
    nor more than was sent.

    Raises:
        HoldfastError: ``target`` exists, or the archive is none or has other names or kinds of files than it should.
    """
    if os.path.lexists(target):
        raise HoldfastError(f"{target} is there already", resolution="Remove it, or choose another target.")
    written: dict[str, Path] = {}
    try:
        with (
            explain_os_errors(f"write {target}"),
            tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive,
        ):
            target.parent.mkdir(parents=True, exist_ok=True)
            for entry in archive:
                parts = PurePosixPath(entry.name).parts
                if not parts or parts[0] != name or ".." in parts:
                    raise HoldfastError(
                        f"the machine sent a file named {entry.name!r}, which was not asked for"
                    )
                _write(archive, entry, target, parts[1:], written)
    except tarfile.TarError as error:
        raise HoldfastError("the machine sent no tar archive", details=str(error)) from None
    if not os.path.lexists(target):
        raise HoldfastError(f"the machine did not send {name!r}")


def _write(
    archive: tarfile.TarFile,
    entry: tarfile.TarInfo,
    target: Path,
    below: tuple[str, ...],
    written: dict[str, Path],
) -> None:
    """``written`` has the regular files so far by their names in the archive: what hard links may name."""
    path = target.joinpath(*below)
    if any(target.joinpath(*below[:depth]).is_symlink() for depth in range(len(below))):
        raise HoldfastError(f"the machine sent {entry.name!r} behind a link")
    if entry.isdir():
        path.mkdir()
        path.chmod(entry.mode & 0o777 | 0o700)
    elif entry.issym():
        path.symlink_to(entry.linkname)
    elif entry.islnk():
        if entry.linkname not in written:
            raise HoldfastError(
                f"the machine sent {entry.name!r} as {entry.linkname!r}, which it did not send"
            )
        shutil.copy(written[entry.linkname], path, follow_symlinks=False)
    elif entry.isreg() and not entry.issparse():
        content = archive.extractfile(entry)
        assert content is not None  # as for every regular file
        with path.open("xb") as stream:
            shutil.copyfileobj(content, stream)
        path.chmod(entry.mode & 0o777)
        written[entry.name] = path
    else:
        raise HoldfastError(f"the machine sent {entry.name!r}, which is no file, directory or link")
