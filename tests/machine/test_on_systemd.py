"""On a machine whose first process is systemd, which owns the control groups: such a machine is a container of ours, here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jeepney
import pytest

import holdfast
from holdfast.distro.family import Bootstrapped
from holdfast.machine import Settings, boot_layers
from holdfast.sandbox import Bind

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

_BOOT = """
import os
from pathlib import Path
from holdfast.machine import boot_layers
with boot_layers((Path("/mnt/tree"),), name="inner") as machine:
    print(machine.system_state(), machine.wait_for_unit("nginx.service").active_state)
    print(*[name for name in os.listdir("/sys/fs/cgroup/machine.slice") if name.endswith(".scope")])
    print(machine.http_get("http://localhost/").status, machine.shutdown().forced)
"""


def test_a_machine_gets_a_delegated_scope(
    bootstrapped: Callable[..., Bootstrapped], debian_root: Path
) -> None:
    outer = bootstrapped("trixie", "nginx-light", "python3", "systemd-container")
    binds = {
        "/mnt/tree": Bind(debian_root),
        "/opt/python/holdfast": Bind(Path(next(iter(holdfast.__path__)))),
        "/opt/python/jeepney": Bind(Path(next(iter(jeepney.__path__)))),
    }
    with boot_layers((outer.tree,), settings=Settings(name="outer", binds=binds)) as machine:
        environment = {"PYTHONPATH": "/opt/python", "PYTHONDONTWRITEBYTECODE": "1"}
        lines = machine.succeed(["python3", "-c", _BOOT], env=environment, timeout=120).splitlines()
        assert lines[0] == "running active"
        assert lines[1].startswith("holdfast-") and lines[1].endswith("-inner.scope")
        assert lines[2] == "200 False"
        assert (
            machine.succeed("find /sys/fs/cgroup -name 'holdfast-*'; grep /run/holdfast /proc/mounts || true")
            == ""
        )
        assert machine.system_state() == "running"
