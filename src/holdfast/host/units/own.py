"""Units that the engine itself runs in. No plan touches them: a switch that stopped its own unit would end itself."""

from __future__ import annotations

SWITCH_UNIT = "holdfast-switch.service"
"""Transient: the command that changes the machine, see systemd-run(1)."""
CONFIRM_TIMER = "holdfast-confirm.timer"
"""Transient: takes a change back that nobody confirms."""
CONFIRM_UNIT = "holdfast-confirm.service"
EARLY_UNIT = "holdfast-early.service"
"""Runs at boot, before most others: activates what waits for a boot, takes back what nobody confirmed, recovers from a crash."""

OWN_UNITS = frozenset({SWITCH_UNIT, CONFIRM_TIMER, CONFIRM_UNIT, EARLY_UNIT})
