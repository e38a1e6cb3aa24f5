"""Which module does each kind of step, and takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from holdfast.host.live import Live
from holdfast.host.steps import Step


class Doing(Protocol):
    """What a module offers for its kinds of step. Both are idempotent."""

    def do(self, step: Step, live: Live) -> None:
        """Bring the step about.

        Raises:
            HoldfastError: it failed; whatever part of it was done is taken back by ``undo``.
        """
        ...

    def undo(self, step: Step, live: Live) -> None:
        """Take the step back, wherever in it a failure or a crash was.

        Raises:
            HoldfastError: it cannot be taken back; a person must look.
        """
        ...


MODULES: Mapping[str, str] = {
    "units": "units.jobs",
    "reload-manager": "units.jobs",
    "cover": "files.covering",
    "secret": "secrets",
    "sysctl": "settings",
    "modules": "settings",
    "tmpfiles": "settings",
    "tasks": "tasks",
    "hooks": "tasks",
    "probe": "probes",
}
"""Kind of step to module of this package. ``files`` and ``commit`` need the journal: ``transaction`` does them itself."""


def doing(step: Step) -> Doing:
    """Who does ``step``; loaded when the first such step comes along."""
    return cast("Doing", import_module(f"holdfast.host.{MODULES[step.kind]}"))
