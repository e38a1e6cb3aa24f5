"""Scenarios of System Manager's container tests, by their names: its state files, in the formats that they have had.

Ours: where a new System Manager migrates the state of an old one, Holdfast takes over from either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator

import pytest

from holdfast.library import Files
from holdfast.machine import Machine
from holdfast.options import Module
from tests.scenarios.host import RELEASES, Host

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

STATE = "/var/lib/system-manager/state/system-manager-state.json"
UNIT = "[Service]\\nExecStart=/usr/bin/sleep infinity\\n"
FILES = ("/etc/hf-new.conf", "/etc/systemd/system/hf-theirs.service")
BACKED_UP = "/etc/hf-nix.conf"


def version_0() -> object:
    def node(status: str, path: str, *nested: dict[str, object]) -> dict[str, object]:
        inner = {str(one["path"]).rpartition("/")[2]: one for one in nested}
        return {"status": status, "path": path, "nested": inner}

    unit = node("managed", FILES[1])
    units = node("unmanaged", "/etc/systemd", node("unmanaged", "/etc/systemd/system", unit))
    files = (node("managed", FILES[0]), node("managedWithBackup", BACKED_UP), units)
    services = {"hf-theirs.service": {"storePath": "/nix/store/aaa-unit/hf-theirs.service"}}
    return {
        "fileTree": node("unmanaged", "/", node("unmanaged", "/etc", *files)),
        "services": services,
    }


def version_1() -> object:
    services = {"hf-theirs.service": {"storePath": "/nix/store/aaa-unit/hf-theirs.service", "masked": False}}
    tree = {"files": list(FILES), "backedUpFiles": [BACKED_UP]}
    return {"fileTree": tree, "services": services, "version": 1}


def manage(machine: Machine, state: object) -> str:
    """What System Manager leaves behind; returns the process id of its service."""
    machine.succeed(
        "mkdir -p /nix/store/aaa-unit /nix/store/bbb-etc\n"
        "echo theirs | tee /nix/store/bbb-etc/new.conf >/nix/store/bbb-etc/nix.conf\n"
        f"printf '{UNIT}' >/nix/store/aaa-unit/hf-theirs.service\n"
        "ln -s /nix/store/bbb-etc/new.conf /etc/hf-new.conf\n"
        "ln -s /nix/store/bbb-etc/nix.conf /etc/hf-nix.conf\n"
        "echo mine >/etc/hf-nix.conf.system-manager-backup; chmod 600 /etc/hf-nix.conf.system-manager-backup\n"
        "ln -s /nix/store/aaa-unit/hf-theirs.service /etc/systemd/system/hf-theirs.service\n"
        "systemctl daemon-reload; systemctl start hf-theirs.service\n"
    )
    machine.write_file(STATE, json.dumps(state))
    return machine.unit_properties("hf-theirs.service")["MainPID"]


@pytest.fixture
def managed(host: Host) -> Generator[Callable[[object], str]]:
    machine = host.machine
    yield lambda state: manage(machine, state)
    machine.succeed("systemctl stop hf-theirs.service || true; systemctl daemon-reload")
    machine.succeed("rm -rf /nix /var/lib/system-manager /etc/hf-n*.conf")


@pytest.mark.parametrize(
    ("release", "state"), [*((release, version_0) for release in RELEASES), ("trixie", version_1)]
)
def test_state_v0_v1_activate(
    host: Host, managed: Callable[[object], str], state: Callable[[], object]
) -> None:
    """What either format of their state manages is ours after the import; nothing in use changes, and their state is kept aside."""
    machine = host.machine
    pid = managed(state())
    told = host.run("import", "system-manager")
    assert "Took over 3 paths" in told and "nothing in use changed" in told
    assert machine.succeed(f"readlink {FILES[0]} {BACKED_UP} {FILES[1]}").splitlines() == [
        "/nix/store/bbb-etc/new.conf",
        "/nix/store/bbb-etc/nix.conf",
        "/nix/store/aaa-unit/hf-theirs.service",
    ]
    assert json.loads(machine.read_file(f"{STATE}.taken-over")) == state()
    machine.fail(f"ls {STATE} || ls {BACKED_UP}.system-manager-backup")
    assert machine.unit_properties("hf-theirs.service")["MainPID"] == pid

    def module(m: Module) -> None:
        m[Files]["/etc/hf-new.conf"].text = "ours\n"

    host.switch(module)
    assert machine.succeed(f"cat {FILES[0]} {BACKED_UP}; stat -c %a {BACKED_UP}") == "ours\nmine\n600\n"
    assert machine.unit("hf-theirs.service").active_state == "inactive"


def test_state_v0_v1_deactivate(host: Host, managed: Callable[[object], str]) -> None:
    """Deactivating after the import restores what System Manager had set aside, also in its old format."""
    managed(version_0())
    host.run("import", "system-manager")
    host.deactivate()
    assert host.machine.succeed(f"cat {BACKED_UP}; stat -c %a {BACKED_UP}") == "mine\n600\n"
    host.machine.fail(f"ls -d {FILES[0]} || ls -d {FILES[1]}")
    assert host.machine.unit("hf-theirs.service").active_state == "inactive"
