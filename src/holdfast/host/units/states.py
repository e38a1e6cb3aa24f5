"""What a manager tells of one unit, as data."""

from __future__ import annotations

from holdfast.base.records import dataclass


@dataclass(frozen=True)
class UnitState:
    """What a unit is doing; see systemd(1) for the states."""

    load: str
    active: str
    sub: str

    @property
    def runs(self) -> bool:
        return self.active in ("active", "activating", "reloading", "refreshing")


NOWHERE = UnitState("", "inactive", "dead")
"""Of a unit that is not loaded."""


@dataclass(frozen=True)
class Relations:
    """What has a unit run, and what it has run."""

    wanted_by: tuple[str, ...] = ()
    """Units that start it when they start: WantedBy=, RequiredBy=, UpheldBy= and BoundBy= of the loaded ones."""
    triggered_by: tuple[str, ...] = ()
    """Sockets, timers, paths and automounts."""
    triggers: tuple[str, ...] = ()
    on_bus: bool = False
    """A message to its D-Bus name starts it."""
