"""Which systems of which file a person means by ``[FILE:]NAME``, a glob or ``tag:NAME``."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.records import dataclass

DEFAULT_FILE = "systems.py"


@dataclass(frozen=True)
class Selector:
    """A parsed ``[FILE:]NAME``. ``file`` is None for the nearest ``systems.py``; ``pattern`` is empty for "whatever is there"."""

    file: Path | None
    pattern: str


@dataclass(frozen=True)
class Choice:
    """What selection needs to know of a system."""

    name: str
    tags: frozenset[str]


def parse_selector(text: str) -> Selector:
    """Split ``[FILE:]NAME``; a lone path to a file (``web/systems.py``) or directory (``web/``) selects all in it."""
    head, colon, tail = text.partition(":")
    if colon and head != "tag":
        return Selector(Path(head), tail)
    if not colon and (text.endswith((".py", "/")) or text in {".", ".."}):
        return Selector(Path(text), "")
    return Selector(None, text)


def find_file(selector: Selector, start: Path | None = None) -> Path:
    """The absolute path of the project file, looked for from ``start`` (None: here) upwards unless the selector names one.

    Raises:
        HoldfastError: there is none.
    """
    with explain_os_errors("tell which directory this is"):
        start = start or Path.cwd()
    if selector.file is not None:
        path = start / selector.file
        with explain_os_errors(f"look for {path}"):
            path = path / DEFAULT_FILE if path.is_dir() else path
            if path.is_file():
                return path.absolute()
        raise HoldfastError(
            f"there is no file {path}",
            resolution=f"Write [FILE:]NAME, such as {DEFAULT_FILE}:web. `holdfast init` writes a first file.",
        )
    with explain_os_errors(f"look for {DEFAULT_FILE} in {start} and above it"):
        for directory in (start, *start.parents):
            if (directory / DEFAULT_FILE).is_file():
                return directory / DEFAULT_FILE
    raise HoldfastError(
        f"there is no {DEFAULT_FILE} in {start} or above it",
        resolution="Run `holdfast init` here to write one, or name a file: FILE:NAME.",
    )


def choose(pattern: str, systems: Sequence[Choice], *, file: str) -> tuple[str, ...]:
    """Names that ``pattern`` selects, in the file's order. An empty pattern selects every system.

    Raises:
        HoldfastError: it selects none; suggests the nearest name and lists all.
    """
    names = [system.name for system in systems]
    if not names:
        raise HoldfastError(
            f"{file} defines no systems",
            resolution='Add one to its list: systems = [System("web", modules=[web], distro=Debian("trixie"))]',
        )
    if not pattern:
        return tuple(names)
    if pattern.startswith("tag:"):
        wanted = pattern.removeprefix("tag:")
        chosen = tuple(system.name for system in systems if wanted in system.tags)
        known = sorted({tag for system in systems for tag in system.tags})
        return chosen or _refuse("tag", wanted, known, file)
    chosen = tuple(name for name in names if fnmatchcase(name, pattern))
    return chosen or _refuse("system", pattern, names, file)


def _refuse(kind: str, wanted: str, known: Sequence[str], file: str) -> tuple[str, ...]:
    from difflib import get_close_matches  # late: 3 ms that nobody pays who makes no mistake

    near = get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    listing = ", ".join(known) if known else "none"
    raise HoldfastError(
        f"{file} has no {kind} {wanted!r}",
        details=f"It has: {listing}",
        resolution=f"{hint}A selector is [FILE:]NAME, a glob such as 'web*', or tag:NAME.",
    )
