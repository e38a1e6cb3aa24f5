"""Carrying out a change so that at any moment, a power cut included, it can be finished or taken back.

The order of things: the journal (one fsync), all new content and all that is replaced (one syncfs for each file system), then the
steps, last of them the commit: the rename of the state file decides. Whoever finds a journal takes back what was begun, unless
the state is already the new one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message, stage
from holdfast.base.records import dataclass
from holdfast.host import state as places
from holdfast.host.change import Prepared, supersedes
from holdfast.host.doing import doing
from holdfast.host.failures import StuckError, TakenBackError
from holdfast.host.files import covering
from holdfast.host.files.actions import PutFile
from holdfast.host.files.replacing import Files
from holdfast.host.generations import Generations
from holdfast.host.journal import Entry, Journal, new_entry
from holdfast.host.live import Live
from holdfast.host.space import check_space
from holdfast.host.steps import ChangeFiles, Commit, CoverFiles, Step

_RECORDING = "Recording the generation"
_TITLES = {
    "files": "Changing files",
    "cover": "Covering files",
    "secret": "Decrypting secrets",
    "modules": "Loading kernel modules",
    "sysctl": "Setting kernel parameters",
    "tmpfiles": "Creating temporary files and directories",
    "tasks": "Running tasks",
    "hooks": "Running hooks",
    "probe": "Probing health",
    "units": "Changing units",
    "reload-manager": "Reloading systemd",
}


@dataclass(frozen=True)
class Recovery:
    """What became of a run that had not ended."""

    entry: Entry
    finished: bool
    """It had been committed; otherwise it was taken back."""


def execute(prepared: Prepared, live: Live, home: Path) -> None:
    """Make a change, or take it back where it fails. The caller holds the lock; no run is open.

    Raises:
        TakenBackError: it failed, and everything is as before.
        StuckError: it failed, and not everything could be taken back; says what.
        HoldfastError: it was not begun.
    """
    change = prepared.change
    if change.empty:
        return
    check_space(prepared, live, home)
    state_after = _state_after(change.steps)
    entry = new_entry(
        change.transaction, change.kind, change.steps, change.previous, change.generation, state_after
    )
    journal = Journal(home)
    with Files(live, entry.transaction, journal.contents, prepared.contents) as files:
        _run(entry, files, journal, live)
    _finish(entry, journal, home)
    live.checkpoint("closed")


def execute_trial(prepared: Prepared, live: Live, home: Path) -> None:
    """Make a change that nothing is to record but its own journal, in a directory of its own: :func:`recover` takes it back.

    Raises:
        TakenBackError, StuckError: as :func:`execute`.
    """
    change = prepared.change
    nowhere = digest_bytes(b"")
    entry = new_entry(
        change.transaction, change.kind, change.steps, change.previous, change.generation, nowhere
    )
    journal = Journal(home)
    with Files(live, entry.transaction, journal.contents, prepared.contents) as files:
        _run(entry, files, journal, live)


def _finish(entry: Entry, journal: Journal, home: Path) -> None:
    """What was chosen for the next boot is superseded by what is committed now; then the run is forgotten."""
    if supersedes(entry.kind):
        Generations(home, None).set_pending(None)
    with explain_os_errors("close the journal"):
        journal.end()


def _state_after(steps: Sequence[Step]) -> Digest:
    """Digest of the state file that the last rename of the commit puts in place."""
    commit = steps[-1]
    assert isinstance(commit, Commit)
    last = commit.actions[-1]
    assert isinstance(last, PutFile) and last.path.endswith("/state.json")
    return last.node.digest


def _run(entry: Entry, files: Files, journal: Journal, live: Live) -> None:
    begun: set[int] = set()
    try:
        with explain_os_errors("write the journal"):
            journal.begin(entry)
        live.checkpoint("journal")
        with stage("Preparing files"):
            files.stage(entry.steps)
        live.checkpoint("staged")
        for number, step in enumerate(entry.steps):
            with explain_os_errors("write the journal"):
                journal.note(number, durable=not begun or step.kind in ("tasks", "hooks"))
            begun.add(number)
            live.checkpoint(f"begin {number}")
            _do(number, step, files, live)
            live.checkpoint(f"end {number}")
    except BaseException as error:
        _take_back(error, entry, begun, files, journal, live)
        raise


def _do(number: int, step: Step, files: Files, live: Live) -> None:
    title = _title(step)
    if isinstance(step, (ChangeFiles, Commit)):
        with stage(title):
            files.do(number, step)
    elif isinstance(step, CoverFiles):
        with stage(title):
            covering.lay(step, files.contents)
    elif not title:
        doing(step).do(step, live)
    else:
        with stage(title):
            doing(step).do(step, live)


def _title(step: Step) -> str:
    if step.kind == "commit":
        return _RECORDING
    if getattr(step, "when", "do") == "undo" or (step.kind == "units" and not step.jobs):
        return ""  # it does nothing on the way forward
    return _TITLES[step.kind]


def _take_back(
    error: BaseException, entry: Entry, begun: set[int], files: Files, journal: Journal, live: Live
) -> None:
    """Undo what was begun and say so in the error that is raised in place of the original one.

    Raises:
        TakenBackError, StuckError: in place of an ordinary error; an interruption by a person stays one.
    """
    message("Taking back what was done", level="warning")
    failed = _undo(entry, begun, files, live, certain=True)
    _close(entry, failed, files, journal)
    told = error if isinstance(error, HoldfastError) else HoldfastError(f"{type(error).__name__}: {error}")
    if failed:
        raise StuckError(
            told.brief,
            details="\n".join(
                part
                for part in (told.details, "Not everything could be taken back:", _listed(entry, failed))
                if part
            ),
            resolution="Look at what is named above; then run the command again.",
        ) from error
    if isinstance(error, Exception):
        done = f"The {entry.what} was taken back; everything is as it was before."
        raise TakenBackError(
            told.brief,
            details="\n".join(part for part in (told.details, done) if part),
            resolution=told.resolution,
        ) from error


def _undo(
    entry: Entry, begun: set[int] | frozenset[int], files: Files, live: Live, *, certain: bool
) -> dict[int, Exception]:
    """Take back the steps that were begun, the last first; returns what failed."""
    failed: dict[int, Exception] = {}
    for number in sorted(begun, reverse=True):
        step = entry.steps[number]
        live.checkpoint(f"undo {number}")
        try:
            if isinstance(step, (ChangeFiles, Commit)):
                files.undo(number, step, certain=certain)
            else:
                doing(step).undo(step, live)
        except Exception as error:  # whatever it is, it must not keep the others from being taken back
            failed[number] = error
    return failed


def _close(entry: Entry, failed: Collection[int], files: Files, journal: Journal) -> None:
    """Forget the run, unless files are still to be put back: then the next command tries again."""
    if not any(isinstance(entry.steps[number], (ChangeFiles, CoverFiles, Commit)) for number in failed):
        with explain_os_errors("close the journal"):
            files.sync()
            # What is still staged tells what was not done: it goes when that is of no interest any more, also to
            # whoever comes after a crash here.
            journal.forget_progress()
            files.clean(entry.steps)
            journal.end()


def recover(live: Live, home: Path) -> Recovery | None:
    """Finish or take back a run that did not end; None when there is none. The caller holds the lock.

    Raises:
        StuckError: not everything could be taken back; says what.
        HoldfastError: the journal is damaged; names the file.
    """
    journal = Journal(home)
    with explain_os_errors("read the journal"):
        entry = journal.read()
        if entry is None:
            journal.clear()
            return None
    if _is_committed(entry, home):
        _finish(entry, journal, home)
        return Recovery(entry, finished=True)
    begun = journal.begun(entry)
    if entry.kind == "try":
        message("Ending the trial")
    else:
        message(f"A run did not end: {entry.what}. It is taken back", level="warning")
    with Files(live, entry.transaction, journal.contents) as files:
        failed = _undo(entry, begun.steps, files, live, certain=begun.certain)
        _close(entry, failed, files, journal)
    if failed:
        raise StuckError(
            f"an interrupted run could not be taken back completely: {entry.what}",
            details=_listed(entry, failed),
            resolution="Look at what is named above; then run the command again.",
        )
    return Recovery(entry, finished=False)


def _is_committed(entry: Entry, home: Path) -> bool:
    try:
        data = (home / Path(places.STATE).name).read_bytes()
    except FileNotFoundError:
        return False
    return digest_bytes(data) == entry.state_after


def _listed(entry: Entry, failed: Mapping[int, Exception]) -> str:
    names = {number: _TITLES.get(entry.steps[number].kind) or _RECORDING for number in failed}
    return "\n".join(f"- {names[number].lower()}: {problem}" for number, problem in sorted(failed.items()))
