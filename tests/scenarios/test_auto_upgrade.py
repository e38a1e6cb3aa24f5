"""The timer that upgrades a machine by itself."""

from __future__ import annotations

import pytest

from holdfast.library import AutoUpgrade
from holdfast.options import Module
from tests.scenarios.host import Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


def upgrade(m: Module) -> None:
    m[AutoUpgrade].enable = True
    m[AutoUpgrade].calendar = ["Mon..Fri 04:40"]
    m[AutoUpgrade].randomized_delay = "45min"
    m[AutoUpgrade].fixed_random_delay = True


def test_auto_upgrade(host: Host) -> None:
    """The units exist, the timer is enabled and waits for the right time, and they are gone after `deactivate`."""
    machine = host.machine
    host.switch(upgrade)
    assert host.state("holdfast-upgrade.timer") == "active"
    assert machine.systemctl("is-enabled", "holdfast-upgrade.timer").strip() == "enabled"
    assert host.state("holdfast-upgrade.service") == "inactive", "a switch starts no upgrade"
    timer = machine.unit_properties("holdfast-upgrade.timer")
    assert "OnCalendar=Mon..Fri *-*-* 04:40:00" in timer["TimersCalendar"]
    assert (timer["RandomizedDelayUSec"], timer["FixedRandomDelay"], timer["Persistent"]) == (
        "45min",
        "yes",
        "yes",
    )
    service = machine.unit_properties("holdfast-upgrade.service")
    assert "/usr/local/bin/holdfast switch" in service["ExecStart"]
    assert service["Type"] == "oneshot"

    host.run("deactivate")
    for unit in ("holdfast-upgrade.timer", "holdfast-upgrade.service"):
        assert machine.unit(unit).load_state == "not-found"
