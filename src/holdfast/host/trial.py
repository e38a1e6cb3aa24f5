"""A change that lasts until the next reboot: nothing on the disk knows of it.

Its journal is in /run and stays open for as long as the trial lasts, so that ending a trial, and recovering from one that was cut
short, are the same thing: everything that was begun is undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from holdfast.base.atomic import write_atomically
from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.digests import Digest
from holdfast.base.errors import explain_os_errors
from holdfast.base.records import dataclass
from holdfast.host.change import Prepared, Wanted
from holdfast.host.failures import RefusedError
from holdfast.host.files.covering import FILES, TRIAL, check, cover
from holdfast.host.journal import read_journal
from holdfast.host.live import Live
from holdfast.host.packages.change import PackageChange
from holdfast.host.planning.arranging import Arranged
from holdfast.host.state import AccountRecord, State
from holdfast.host.steps import ChangeFiles, CoverFiles, CreateTmpfiles, DecryptSecret, RunTasks, Step
from holdfast.host.transaction import execute_trial, recover
from holdfast.manifest.document import manifest_digest

_HOME = Path(TRIAL)
_NOTE = _HOME / "trial.json"


@dataclass(frozen=True)
class Trial:
    """What is tried."""

    name: str
    """Of the system."""
    manifest: Digest | None = None
    paths: tuple[str, ...] = ()
    """Everything whose content is not what is on the disk, or is not on the disk at all."""
    interrupted: bool = False
    """It was never completed: the next command that changes something takes it back."""


def read_trial(live: Live) -> Trial | None:
    """The trial under way on this machine.

    Raises:
        HoldfastError: what is known of it is damaged.
    """
    if not live.running:
        return None
    entry = read_journal(_HOME)
    if entry is None:
        return None
    with explain_os_errors("read of the trial"):
        try:
            return decode_json(Trial, _NOTE.read_bytes(), what=str(_NOTE))
        except FileNotFoundError:
            return Trial("", interrupted=True)


def as_trial(arranged: Arranged, live: Live, state: State | None, packages: PackageChange | None) -> Arranged:
    """The same change so that a reboot ends it.

    Raises:
        RefusedError: something of it would stay, or has no place in /run; names all of it.
    """
    if not live.running or live.systemd is None:
        raise RefusedError(
            "a trial needs a machine that runs", resolution="Leave out --ephemeral to change files on a disk."
        )
    steps: list[Step] = []
    problems: list[str] = []
    actions = packages.actions if packages else ()
    problems += [f"{one.verb} {one.package}: packages cannot be tried" for one in actions]
    after = arranged.plan.state
    users: Mapping[str, AccountRecord] = state.users if state else {}
    known: Mapping[str, int] = state.groups if state else {}
    if after.users != users or after.groups != known:
        names = sorted({name for name in {*after.users, *users} if after.users.get(name) != users.get(name)})
        names += sorted(name for name in {*after.groups, *known} if after.groups.get(name) != known.get(name))
        problems.append(f"users and groups cannot be tried: {', '.join(names)}")
    for step in arranged.steps:
        if isinstance(step, ChangeFiles):
            covered, found = cover(step.actions)
            problems += [*found, *check(covered, live)]
            steps.append(covered)
            continue
        if isinstance(step, RunTasks):
            problems += [f"task {name}: what it does would stay" for name in (*step.tasks, *step.dropped)]
        elif isinstance(step, DecryptSecret):
            step = replace(step, noted=False)
            if not step.path.startswith("/run/"):
                problems.append(f"{step.path}: a secret can be tried only below /run")
        elif isinstance(step, CreateTmpfiles):
            stays = [path for path in sorted(step.made) if not path.startswith(("/run/", "/tmp/"))]
            problems += [f"{path}: what a rule of tmpfiles.d(5) makes there would stay" for path in stays]
        steps.append(step)
    if problems:
        raise RefusedError(
            "not everything of this can be tried until the next reboot",
            details="\n".join(f"- {problem}" for problem in dict.fromkeys(problems)),
            resolution="Switch without --ephemeral; --confirm SECONDS takes a change back that cuts you off.",
        )
    return replace(arranged, steps=tuple(steps), recording=False)


def begin(prepared: Prepared, wanted: Wanted, live: Live) -> None:
    """Start a trial; the caller holds the lock, and there is none.

    Raises:
        TakenBackError: it failed, and everything is as before.
        StuckError: it failed, and not everything could be taken back; says what.
    """
    steps = prepared.change.steps
    pieces = [piece for step in steps if isinstance(step, CoverFiles) for piece in step.pieces]
    trial = Trial(
        wanted.manifest.name,
        manifest_digest(wanted.manifest),
        tuple(sorted({*(one.path for one in pieces), *(one.place for one in pieces if one.how == "run")})),
    )
    with explain_os_errors("note the trial"):
        _HOME.mkdir(0o700, parents=True, exist_ok=True)
        _NOTE.unlink(missing_ok=True)
    try:
        execute_trial(prepared, live, _HOME)
    except BaseException:
        _sweep()
        raise
    with explain_os_errors("note the trial"):
        write_atomically(_NOTE, canonical_json(trial), mode=0o600)


def end(live: Live) -> Trial | None:
    """Take back the trial under way, also one that was never completed; the caller holds the lock. None: there is none.

    Raises:
        StuckError: not everything could be taken back; says what.
    """
    trial = read_trial(live)
    if trial is None:
        return None
    with explain_os_errors("end the trial"):
        _NOTE.unlink(missing_ok=True)
    live.checkpoint("trial: ending")
    recover(live, _HOME)
    _sweep()
    return trial


def _sweep() -> None:
    """Remove the directories, unless something is in them that still has to be taken back."""
    with suppress(OSError):
        Path(FILES).rmdir()
    with suppress(OSError):
        _HOME.rmdir()
