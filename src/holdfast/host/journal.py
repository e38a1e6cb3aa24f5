"""What a run was about to do, written down before it does it, so that whoever comes next can finish it or take it back.

``journal/plan.json`` is the whole run; it is there exactly as long as the run is neither finished nor taken back.
``journal/progress`` gets a line when a step begins; the first is on the disk before that. ``journal/contents`` has what files were replaced or removed.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from holdfast.base.atomic import sync_directory, write_atomically
from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host.change import ChangeKind
from holdfast.host.steps import Step

_VERSION = 1
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Entry:
    """One run, as it is written down."""

    version: int
    transaction: str
    kind: ChangeKind
    steps: tuple[Step, ...]
    previous: int | None
    generation: int | None
    state_after: Digest
    """Digest of the state file that the run leaves: when that file is there, the run was committed."""
    noted: bool = False
    """The first line of progress was on the disk before the first step began: where there is none, nothing was begun."""
    boot: str = ""
    """The boot in which it ran, see random(4): after another one nobody knows which lines of progress were lost."""

    @property
    def what(self) -> str:
        """The run in words."""
        if self.kind == "try":
            return "trial"
        if self.generation is None:
            return "giving everything back"
        return f"{self.kind} to generation {self.generation}"


@dataclass(frozen=True)
class Begun:
    """Which steps were begun."""

    steps: frozenset[int]
    certain: bool
    """False after a power loss: then more may have been begun than was noted."""


class Journal:
    """The journal in Holdfast's directory. The caller holds the lock."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._path = home / "journal"
        self._plan = self._path / "plan.json"
        self._progress: int | None = None

    @property
    def contents(self) -> Path:
        """Directory of what is replaced and removed by the run, for root alone."""
        return self._path / "contents"

    def begin(self, entry: Entry) -> None:
        """Write down the run; it is durable when this returns.

        Raises:
            OSError: it cannot be written; then nothing was begun.
        """
        self.contents.mkdir(0o700, parents=True, exist_ok=True)
        self._path.chmod(0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._progress = os.open(self._path / "progress", flags, 0o600)
        write_atomically(self._plan, canonical_json(entry), mode=0o600)
        sync_directory(self._home)

    def note(self, step: int, *, durable: bool) -> None:
        """Note that a step begins. ``durable``: also for after a power loss."""
        assert self._progress is not None, "begin() comes first"
        os.write(self._progress, b"%d\n" % step)
        if durable:
            os.fdatasync(self._progress)

    def forget_progress(self) -> None:
        """Everything is taken back: nothing counts as begun any more."""
        with suppress(FileNotFoundError):
            os.truncate(self._path / "progress", 0)

    def read(self) -> Entry | None:
        """The run that did not end, or None.

        Raises:
            HoldfastError: the journal is damaged; names the file.
        """
        try:
            data = self._plan.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            entry = decode_json(Entry, data, what=str(self._plan))
        except HoldfastError as error:
            raise self._damaged(self._plan, error.brief) from None
        if entry.version != _VERSION:
            raise HoldfastError(
                f"{self._plan} has version {entry.version}; this holdfast reads {_VERSION}",
                resolution="A newer holdfast was interrupted here: run that one again, it takes back what it began.",
            )
        return entry

    def begun(self, entry: Entry) -> Begun:
        """Which steps of the run were begun.

        Raises:
            HoldfastError: the file of progress is damaged; names it.
        """
        certain = entry.boot != "" and entry.boot == boot_id()
        path = self._path / "progress"
        try:
            lines = path.read_bytes().split(b"\n")[:-1]  # a line without its end was never written completely
        except FileNotFoundError:
            lines = []
        steps: set[int] = set()
        for line in lines:
            if not line.isdigit() or int(line) >= len(entry.steps):
                if not certain:
                    break  # what a power loss leaves at the end of a file can be anything
                raise self._damaged(path, f"it has the line {line[:40]!r}")
            steps.add(int(line))
        if not certain and (lines or not entry.noted):
            steps.update(
                index for index, step in enumerate(entry.steps) if step.kind not in ("tasks", "hooks")
            )
        return Begun(frozenset(steps), certain)

    def end(self) -> None:
        """The run is over, one way or the other: forget it.

        Raises:
            OSError: it cannot be removed.
        """
        if self._progress is not None:
            os.close(self._progress)
            self._progress = None
        with suppress(FileNotFoundError):
            self._plan.unlink()
        self.clear()

    def clear(self) -> None:
        """Remove what is left without a run that it belongs to."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self._path)

    def _damaged(self, path: Path, why: str) -> HoldfastError:
        return HoldfastError(
            f"the journal of an interrupted run is damaged: {path}",
            details=why,
            resolution=(
                "Nothing was changed now. The files that the run replaced are in"
                f" {self.contents}; put back what is needed, then remove {self._path} and run the command again."
            ),
        )


def new_entry(
    transaction: str,
    kind: ChangeKind,
    steps: tuple[Step, ...],
    previous: int | None,
    generation: int | None,
    state_after: Digest,
) -> Entry:
    return Entry(
        _VERSION, transaction, kind, steps, previous, generation, state_after, noted=True, boot=boot_id()
    )


def boot_id() -> str:
    """The kernel's name for this boot; empty where /proc is not mounted, and then nothing is certain."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def read_journal(home: Path) -> Entry | None:
    """What is interrupted on a machine, for those that only look.

    Raises:
        HoldfastError: the journal is damaged, or cannot be read.
    """
    with explain_os_errors("read the journal"):
        return Journal(home).read()
