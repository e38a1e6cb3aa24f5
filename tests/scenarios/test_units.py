"""Units that are masked, and units that changes leave alone."""

from __future__ import annotations

import pytest

from holdfast.library import Systemd
from holdfast.options import Module
from tests.scenarios.host import Definition, Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]


def test_masked_units(host: Host) -> None:
    """What is masked is stopped and cannot be started; dropping the name, or `deactivate`, unmasks it and starts it again."""
    machine = host.machine
    assert host.state("cron.service") == "active"

    def masked(m: Module) -> None:
        m[Systemd].masked = ["cron.service"]

    host.switch(masked)
    assert host.state("cron.service") == "inactive"
    assert machine.unit("cron.service").load_state == "masked"
    assert "masked" in machine.fail("systemctl start cron.service").stderr.decode()
    host.switch()
    assert host.state("cron.service") == "active", "as it was before"
    assert machine.systemctl("is-enabled", "cron.service").strip() == "enabled"
    host.switch(masked)
    assert host.state("cron.service") == "inactive"
    # and deactivate, after every scenario, has to bring it back


def sleeper(version: str) -> Definition:
    def module(m: Module) -> None:
        service = m[Systemd].services["sleeper"]
        service.exec_start = ["/usr/bin/sleep", "infinity"]
        service.environment["VERSION"] = version
        service.restart_if_changed = False
        service.wanted_by = ["multi-user.target"]

    return module


def test_restart_if_changed(host: Host) -> None:
    """A unit with `restart_if_changed = False` keeps its process through a change, and the switch says so."""
    host.switch(sleeper("1"))
    first = host.pid("sleeper.service")
    assert first > 0
    told = host.switch(sleeper("2"))
    assert "sleeper.service is left running as its definition asks, although Environment changed" in told
    assert host.pid("sleeper.service") == first
    assert "VERSION=2" in host.machine.unit_properties("sleeper.service")["Environment"]
