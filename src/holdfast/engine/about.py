"""Which engine this is: what an archive and an installed engine say about themselves."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import cast

from holdfast.base.digests import Digest, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass

ABOUT = "ENGINE.json"
"""A member of the archive and a file of the installed engine; the one that the engine's digest leaves out."""

_HERE = Path(sys.argv[0]).absolute()
"""What Python was told to run. Remembered, since ``sys.argv`` is what others see of this process."""


@dataclass(frozen=True)
class About:
    """Which engine it is."""

    digest: Digest
    """Of :func:`~holdfast.engine.archive.contents_digest`."""
    version: str
    """Holdfast's."""


def read_about(data: bytes) -> About:
    """Raises:
    HoldfastError: it is not what :data:`ABOUT` holds.
    """
    try:
        fields = cast("dict[str, object]", json.loads(data))
        return About(parse_digest(str(fields["digest"])), str(fields["version"]))
    except (ValueError, KeyError, TypeError):
        raise HoldfastError(f"{ABOUT} of the engine is damaged") from None


def installed_place() -> Path | None:
    """The directory of the engine that this process runs, where it is an installed one."""
    return _HERE if (_HERE / ABOUT).is_file() else None


def archive_place() -> Path | None:
    """The archive that this process runs from, where it does."""
    return _HERE if _HERE.suffix == ".pyz" and _HERE.is_file() else None


def this_engine() -> About | None:
    """Which engine this process is; None when it runs from a checkout."""
    installed, archive = installed_place(), archive_place()
    if installed is not None:
        return read_about((installed / ABOUT).read_bytes())
    if archive is not None:
        import zipfile  # only here: it is slow to load

        with zipfile.ZipFile(archive) as opened:
            return read_about(opened.read(ABOUT))
    return None


def hold() -> int | None:
    """Keep this installed engine from being removed while this process runs from it. Returns the descriptor that does."""
    directory = installed_place()
    if directory is None:
        return None
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor
