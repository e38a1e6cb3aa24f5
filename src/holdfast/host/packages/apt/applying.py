"""Carrying out a change of packages: first everything that takes it back, then apt, then a look at what has become of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from holdfast.base.atomic import sync_file_system, write_atomically
from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message, stage
from holdfast.base.process import ProcessError
from holdfast.base.records import dataclass
from holdfast.host.failures import RefusedError
from holdfast.host.live import Live
from holdfast.host.packages.apt import conffiles, services
from holdfast.host.packages.apt.apt import Apt, dpkg
from holdfast.host.packages.apt.database import EXTENDED_STATES, STATUS, Database
from holdfast.host.packages.apt.files import archive_stanzas, fingerprint, gather, prune
from holdfast.host.packages.apt.locks import package_lock
from holdfast.host.packages.apt.places import ARCHIVE, HOME, RECORD
from holdfast.host.packages.apt.policy import asked_for, services_held
from holdfast.host.packages.apt.reading import read_database
from holdfast.host.packages.change import (
    PackageAction,
    PackageChange,
    PackageFile,
    PackageMark,
    PackageResult,
    Stale,
)
from holdfast.host.packages.record import PackageState
from holdfast.host.state import State
from holdfast.host.steps import UnitJob

LOCK_SECONDS = 600.0
"""How long apt's timers and other people are waited for."""


@dataclass(frozen=True)
class Transaction:
    """The change under way, as it is on disk: enough to take it back without anything else."""

    transaction: str
    change: PackageChange
    active: tuple[str, ...] = ()
    """Units of the touched packages that ran before."""


def apply(
    change: PackageChange,
    live: Live,
    state: State | None,
    transaction: str,
    *,
    wait_seconds: float = LOCK_SECONDS,
) -> PackageResult:
    """Make the change. If this raises, or never returns, ``undo`` or ``recover`` takes back whatever of it was done.

    Raises:
        RefusedError: it must not be made, or an old package file cannot be had after all; nothing was touched.
        BusyError: somebody else changes packages, and does not finish; nothing was touched.
        HoldfastError: it failed.
    """
    if change.problems:
        raise RefusedError("the packages cannot be changed as wanted", details="\n".join(change.problems))
    with package_lock(wait_seconds=wait_seconds) as lock:
        before = read_database(live.root)
        _check_unchanged(change, live)
        change = _gather(change, live)
        active = _active(change, before)
        with explain_os_errors("note the change of packages"):
            HOME.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_file_system(HOME)
            write_atomically(RECORD, canonical_json(Transaction(transaction, change, active)), mode=0o600)
        live.checkpoint("packages: noted")
        asked = _carry_out(change, before, active, lock)
        live.checkpoint("packages: changed")
        after = read_database(live.root)
        _check_made(change, before, after)
        set_marks(change.marks, lock)
        live.checkpoint("packages: marked")
        return _look_around(change, live, state, after, asked, active)


def _check_unchanged(change: PackageChange, live: Live) -> None:
    found = fingerprint(live.root.read(STATUS) or b"", live.root.read(EXTENDED_STATES))
    if change.fingerprint is not None and found != change.fingerprint:
        raise RefusedError(
            "somebody else changed packages on this machine since the plan was made",
            resolution="Run the command again: it makes a new plan.",
        )


def _gather(change: PackageChange, live: Live) -> PackageChange:
    """Get all package files; those of old packages are said to be irreversible only where that is allowed."""
    gather((action.new for action in change.actions if action.new is not None), live.blobs)
    old = [action.old for action in change.actions if action.old is not None]
    missing = {file.file_name for file in gather(old, live.blobs, optional=True)}
    lost = sorted(f"{file.name} {file.version}" for file in old if file.file_name in missing)
    if not lost:
        return change
    if not change.options.irreversible:
        raise RefusedError(
            f"packages irreversible: the old package files of {', '.join(lost)} cannot be had, so the change could not be taken back",
            details="They are neither here nor in what the machine's own package sources offer. Nothing was touched.",
            resolution="Run `apt-get update` on the machine and try again, or allow irreversible packages.",
        )
    message(
        f"The old package files of {', '.join(lost)} cannot be had: this cannot be taken back",
        level="warning",
    )
    actions = tuple(
        replace(action, old=replace(action.old, source=""))
        if action.old is not None and action.old.file_name in missing
        else action
        for action in change.actions
    )
    return replace(change, actions=actions)


def _active(change: PackageChange, before: Database) -> tuple[str, ...]:
    if not services.systemd_runs():
        return ()
    return services.active_units(
        unit
        for action in change.actions
        if (there := before.packages.get(action.package)) is not None
        for unit in services.units_of(action.package, there.architecture)
    )


def _carry_out(
    change: PackageChange, before: Database, active: tuple[str, ...], lock: int
) -> tuple[tuple[str, str], ...]:
    if not change.actions:
        return ()
    going = [action for action in change.actions if action.after is None]
    units = {
        unit
        for action in going
        if (there := before.packages.get(action.package)) is not None
        for unit in services.units_of(action.package, there.architecture)
    }
    services.stop(sorted(units & set(active)))
    with stage("Changing packages", total=None), services_held():
        try:
            run_apt([word_of(action) for action in change.actions], (one.new for one in change.actions), lock)
            purged = [action.package for action in going if action.verb == "purge"]
            if purged:
                dpkg(["--purge", *purged], lock=lock)
        except ProcessError as error:
            raise HoldfastError("the packages could not be changed", details=str(error)) from error
    return asked_for()


def word_of(action: PackageAction) -> str:
    return f"{action.package}-" if action.after is None else f"{action.package}={action.after}"


def run_apt(words: list[str], files: Iterable[PackageFile | None], lock: int, *options: str) -> None:
    """Install and remove exactly what ``words`` say, from gathered ``files``.

    Raises:
        ProcessError: apt or dpkg failed.
    """
    with TemporaryDirectory(prefix="holdfast-apt-") as place:
        apt = Apt(Path(place), ARCHIVE)
        apt.offer(archive_stanzas(file for file in files if file is not None), recommends=False)
        allowed = ("--allow-downgrades", "--allow-change-held-packages", "--allow-remove-essential")
        apt.install(words, "--no-install-recommends", *allowed, *options, lock=lock)


def set_marks(marks: Iterable[PackageMark], lock: int, *, back: bool = False) -> None:
    """Give packages the marks of after the change, or of before it."""
    automatic: list[str] = []
    manual: list[str] = []
    selections: list[str] = []
    for mark in marks:
        (automatic if (mark.automatic_before if back else mark.automatic) else manual).append(mark.package)
        if mark.held or mark.held_before:  # what is unpacked loses it
            held = mark.held_before if back else mark.held
            selections.append(f"{mark.package} {'hold' if held else 'install'}\n")
    if selections:
        dpkg(["--set-selections"], lock=lock, stdin="".join(selections).encode())
    if automatic or manual:
        with TemporaryDirectory(prefix="holdfast-apt-") as place:
            apt = Apt(Path(place), ARCHIVE)
            apt.offer([], recommends=False)
            apt.mark(automatic, manual, lock=lock)


def _check_made(change: PackageChange, before: Database, after: Database) -> None:
    """What is there is what was planned, and nothing else has moved.

    Raises:
        HoldfastError: it is not.
    """
    wanted = {name: one.version for name, one in before.packages.items() if one.whole}
    for action in change.actions:
        wanted.pop(action.package, None)
        if action.after is not None:
            wanted[action.package] = action.after
    found = {name: one.version for name, one in after.packages.items() if one.whole}
    wrong = [
        f"{name}: {found.get(name, 'not installed')} instead of {wanted.get(name, 'not installed')}"
        for name in sorted(wanted.keys() | found.keys())
        if found.get(name) != wanted.get(name)
    ]
    if wrong:
        raise HoldfastError("the packages are not what apt said that they would be", details="\n".join(wrong))


def _look_around(
    change: PackageChange,
    live: Live,
    state: State | None,
    after: Database,
    asked: tuple[tuple[str, str], ...],
    active: tuple[str, ...],
) -> PackageResult:
    with explain_os_errors("keep the new versions of managed configuration files"):
        managed = sorted(after.conffiles.keys() & (state.paths if state is not None else {}).keys())
        found = tuple(conffiles.find_debris(live.root, managed))
        new = conffiles.settle(live.root, live.path, state, found)
        known = conffiles.read_conffiles(live.root, after, state, change.declared).packaged
    packaged = dict(known if change.actions else change.after.conffiles)
    packaged.update({one.path: conffiles.md5_of(live.path, one.file) for one in new if one.restored})
    jobs: tuple[UnitJob, ...] = ()
    stale: tuple[Stale, ...] = ()
    if change.actions and services.systemd_runs():
        stopped = set(active) - set(services.active_units(active))
        jobs = services.jobs_asked(asked, sorted(stopped))
        if any(action.before is not None for action in change.actions):
            stale = services.find_stale()
        if change.options.restart_stale:
            names = {job.unit for job in jobs}
            jobs = (*jobs, *(job for job in services.stale_jobs(stale) if job.unit not in names))
    return PackageResult(jobs, new, PackageState(change.after.packages, packaged), stale)


def read_transaction() -> Transaction | None:
    """The change under way, or the one that a crash interrupted.

    Raises:
        HoldfastError: the record is damaged.
    """
    try:
        data = RECORD.read_bytes()
    except FileNotFoundError:
        return None
    return decode_json(Transaction, data, what=str(RECORD))


def finish(after: PackageState) -> None:
    """The state says that the change is made: forget how to take it back, but for what brings back what was there before us."""
    with explain_os_errors("forget the change of packages"):
        RECORD.unlink(missing_ok=True)
        prune(after.packages)
