"""Doing the steps that are systemd's: jobs for units, and reading unit files anew.

What belongs to users is theirs: where their managers or their units fail, people are told, and the change goes on.
"""

from __future__ import annotations

import pwd
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

from holdfast.base.errors import HoldfastError
from holdfast.base.events import message
from holdfast.host.live import Live
from holdfast.host.steps import ReloadManager, RunUnits, Step, UnitJob
from holdfast.host.units.systemd import Systemd, connect_user


def do(step: Step, live: Live) -> None:
    """Raises HoldfastError: a job failed, with its unit's journal."""
    if live.systemd is None:
        return
    if isinstance(step, ReloadManager):
        if step.when == "do":
            _reload(step, live.systemd)
    elif isinstance(step, RunUnits) and step.jobs:
        _run_ours(step.jobs, live.systemd)
        _run_theirs(step.jobs)


def undo(step: Step, live: Live) -> None:
    """Raises HoldfastError: a unit cannot be brought back to what it did."""
    if live.systemd is not None and live.systemd.gone:
        live.reconnect()
    if live.systemd is None:
        return
    if isinstance(step, ReloadManager):
        if step.when == "undo":
            _reload(step, live.systemd)
    elif isinstance(step, RunUnits) and step.undo:
        try:
            _run_ours(step.undo, live.systemd)
        finally:
            _run_theirs(step.undo)


def _reload(step: ReloadManager, systemd: Systemd) -> None:
    if step.system:
        systemd.reload()
    for user in step.users:
        _with_manager(user, Systemd.reload)


def _run_ours(jobs: Sequence[UnitJob], systemd: Systemd) -> None:
    ours = [job for job in jobs if job.user is None]
    if ours:
        systemd.do(ours)


def _run_theirs(jobs: Sequence[UnitJob]) -> None:
    for user in sorted({job.user for job in jobs if job.user is not None}):
        _with_manager(user, partial(Systemd.do, jobs=[job for job in jobs if job.user == user]))


def _with_manager(user: str, use: Callable[[Systemd], None]) -> None:
    """Nothing happens where the user's manager runs no more: the next one reads everything anew."""
    try:
        uid = int(user) if user.isdigit() else pwd.getpwnam(user).pw_uid
    except KeyError:
        return
    try:
        manager = connect_user(user, uid)
        if manager is not None:
            with closing(manager):
                use(manager)
    except HoldfastError as error:
        details = f":\n{error.details}" if error.details else ""
        message(f"{error.brief}{details}", level="warning")
    except Exception as error:  # it is the user's program: whatever it answers is not to stop the change
        message(f"systemd of user {user} answers nonsense: {error!r}", level="warning")
