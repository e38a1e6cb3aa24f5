"""Taking a change of packages back, wherever it stopped: first forward until dpkg is whole again, then back to what was there.

``dpkg --configure -a`` alone is not enough: a dpkg that was killed while it unpacked leaves packages that only another unpacking
repairs, and says nothing about it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from holdfast.base.errors import explain_os_errors
from holdfast.base.events import message, stage
from holdfast.base.process import ProcessError
from holdfast.host.failures import StuckError
from holdfast.host.live import Live
from holdfast.host.packages.apt import conffiles, services
from holdfast.host.packages.apt.applying import (
    LOCK_SECONDS,
    finish,
    read_transaction,
    run_apt,
    set_marks,
)
from holdfast.host.packages.apt.apt import dpkg
from holdfast.host.packages.apt.database import INFO, Database
from holdfast.host.packages.apt.locks import package_lock
from holdfast.host.packages.apt.places import ARCHIVE
from holdfast.host.packages.apt.policy import asked_for, restore_policy, services_held
from holdfast.host.packages.apt.reading import read_database
from holdfast.host.packages.change import PackageAction, PackageChange

_ROUNDS = 3


def undo(change: PackageChange, live: Live, *, wait_seconds: float = LOCK_SECONDS) -> None:
    """Bring back the exact packages, versions and marks of before ``change``. Idempotent.

    Raises:
        StuckError: that is not possible; says what is missing. The next ``recover`` tries again.
        BusyError: somebody else changes packages, and does not finish.
    """
    known = read_transaction()
    if known is None:  # it never began, or is undone already
        restore_policy()
        return
    with package_lock(wait_seconds=wait_seconds) as lock, stage("Taking back the change of packages"):
        restore_policy()
        with services_held():
            _mend(change, live, lock)
            live.checkpoint("packages: mended")
            for attempt in range(_ROUNDS):
                away = _away(change, read_database(live.root))
                if not away:
                    break
                _go_back(away, live, lock, attempt)
        asked = asked_for()
        away = _away(change, read_database(live.root))
        if away:
            raise StuckError(
                "the change of packages could not be taken back",
                details="\n".join(_describe(action, read_database(live.root)) for action in away),
                resolution="See what `dpkg --audit` says, put it right, then run `holdfast recover`.",
            )
        there = read_database(live.root)
        _tell_what_is_left(change, lock)
        set_marks((mark for mark in change.marks if there.whole(mark.package) is not None), lock, back=True)
        live.checkpoint("packages: back")
    with explain_os_errors("put back what lay beside managed files"):
        conffiles.clean(live.root, live.path, read_database(live.root))
        conffiles.put_back(live.path, change.debris)
    if services.systemd_runs():
        services.run_jobs(services.jobs_asked(asked, ()))
        services.start_again(known.active)
    finish(change.before)


def recover(live: Live, *, committed: str) -> Literal["finished", "undone"] | None:
    """Whatever a crash left of a change of packages: finish it when the state named ``committed`` is its own, else undo it.

    Raises:
        StuckError: see :func:`undo`.
    """
    known = read_transaction()
    if known is None:
        return None
    if known.transaction != committed:
        undo(known.change, live)
        return "undone"
    restore_policy()
    finish(known.change.after)
    return "finished"


def _mend(change: PackageChange, live: Live, lock: int) -> None:
    """Until dpkg has nothing half done, as far as that goes: what cannot be configured is replaced afterwards."""
    dpkg(["--configure", "-a"], lock=lock, check=False)
    files = {
        action.package: file
        for action in change.actions
        for file in (action.old, action.new)  # the new one is what was being unpacked
        if file is not None and (ARCHIVE / file.file_name).is_file()
    }
    mended = False
    for name, package in read_database(live.root).packages.items():
        if package.status == "config-files" or not (package.broken or package.status == "half-installed"):
            continue
        file = files.get(name)
        if file is not None:
            message(f"{name} was being unpacked when the change was interrupted: it is unpacked again")
            dpkg(["--force-depends", "--install", str(ARCHIVE / file.file_name)], lock=lock, check=False)
            mended = True
    if mended:
        dpkg(["--configure", "-a"], lock=lock, check=False)


def _away(change: PackageChange, found: Database) -> list[PackageAction]:
    """Actions whose package is not as it was before."""
    away: list[PackageAction] = []
    for action in change.actions:
        there = found.packages.get(action.package)
        if action.before is not None:
            gone = action.old is None or not action.old.source
            if (there is None or not there.whole or there.version != action.before) and not gone:
                away.append(action)
        elif there is not None and not (action.configured and there.status == "config-files"):
            away.append(action)
    return away


def _go_back(away: list[PackageAction], live: Live, lock: int, attempt: int) -> None:
    """One attempt: through apt, which knows the order; then through dpkg alone; then without the scripts that fail."""
    old = [action.old for action in away if action.old is not None and action.before is not None]
    paths = [str(ARCHIVE / file.file_name) for file in old]
    there = read_database(live.root).packages
    new = [action for action in away if action.before is None]
    if attempt == 0:
        installed = [action for action in new if there[action.package].status != "config-files"]
        words = [
            *(f"{action.package}={action.before}" for action in away if action.before is not None),
            *(f"{action.package}-" for action in installed),
        ]
        if words:
            with suppress(ProcessError):
                run_apt(words, old, lock, "--fix-broken")
    else:
        if attempt > 1:
            _silence(away)
        forced = ["--force-depends", "--force-remove-reinstreq", "--force-remove-protected"]
        if paths:
            dpkg([*forced, "--install", *paths], lock=lock, check=False)
        removed = [action.package for action in new if there[action.package].status != "config-files"]
        if removed:
            dpkg([*forced, "--remove", *removed], lock=lock, check=False)
        dpkg(["--configure", "-a"], lock=lock, check=False)
    there = read_database(live.root).packages
    purged = [
        action.package
        for action in new
        if not action.configured
        and action.package in there
        and there[action.package].status == "config-files"
    ]
    if purged:
        dpkg(["--purge", *purged], lock=lock, check=False)


def _tell_what_is_left(change: PackageChange, lock: int) -> None:
    lost = [
        f"{action.package} {action.before}"
        for action in change.actions
        if action.old is not None and not action.old.source
    ]
    if lost:
        message(f"Not taken back, because the package files are lost: {', '.join(lost)}", level="warning")
    audit = dpkg(["--audit"], lock=lock, check=False).text.strip()
    if audit:  # not of this change: those have been looked at
        message(f"dpkg says of this machine's other packages:\n{audit}", level="warning")


def _silence(away: list[PackageAction]) -> None:
    """The removal script of what has to go fails: what it would do is given up, as an administrator would do by hand."""
    for action in away:
        name = action.package.partition(":")[0]
        for script in sorted(Path(INFO).glob(f"{name}.p*rm")) + sorted(Path(INFO).glob(f"{name}:*.p*rm")):
            message(f"{script.name} is left out: it fails, and {action.package} has to go", level="warning")
            script.write_text("#!/bin/sh\nexit 0\n")


def _describe(action: PackageAction, found: Database) -> str:
    there = found.packages.get(action.package)
    now = "not installed" if there is None else f"{there.version} ({there.status})"
    return f"{action.package} is {now}, and was {action.before or 'not installed'}"
