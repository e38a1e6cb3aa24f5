"""Doing the steps that are systemd's: jobs for units, and reading unit files anew."""

from __future__ import annotations

from holdfast.host.live import Live
from holdfast.host.steps import ReloadManager, RunUnits, Step


def do(step: Step, live: Live) -> None:
    """Raises HoldfastError: a job failed, with its unit's journal."""
    if live.systemd is None:
        return
    if isinstance(step, ReloadManager):
        if step.when == "do":
            live.systemd.reload()
    elif isinstance(step, RunUnits) and step.jobs:
        live.systemd.do(step.jobs)


def undo(step: Step, live: Live) -> None:
    """Raises HoldfastError: a unit cannot be brought back to what it did."""
    if live.systemd is None:
        return
    if isinstance(step, ReloadManager):
        if step.when == "undo":
            live.systemd.reload()
    elif isinstance(step, RunUnits) and step.undo:
        live.systemd.do(step.undo)
