"""A machine that runs is changed, fails to change, and is taken back: units, probes, tasks and settings through the engine."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from holdfast.base.process import Completed
from holdfast.engine.archive import engine_archive
from holdfast.engine.launch import install_script
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.manifest.document import write_manifest
from holdfast.manifest.model import (
    SCHEMA_VERSION,
    Check,
    CommandProbe,
    Distribution,
    Health,
    HttpProbe,
    Identity,
    Manifest,
    Task,
    TextFile,
    Unit,
)
from holdfast.store import Store

pytestmark = [pytest.mark.system, pytest.mark.network]

HELLO = "[Unit]\nDescription={0}\n[Service]\nEnvironment=VERSION={1}\nExecStart=/usr/bin/sleep infinity\n"
TARGET = ("multi-user.target",)


class Host:
    """A machine with the engine on it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def run(self, *words: str) -> Completed:
        return self.machine.execute(["holdfast", *words], timeout=120)

    def switch(self, *words: str, code: int = 0, **manifest: object) -> str:
        made = Manifest(
            SCHEMA_VERSION,
            "web",
            Distribution("debian", "trixie", "amd64"),
            Identity("switch", None, None),
            **manifest,  # type: ignore[arg-type]
        )
        self.machine.write_file("/root/wanted.json", write_manifest(made).decode())
        done = self.run("switch", "/root/wanted.json", *words)
        told = done.text + done.stderr.decode()
        assert done.returncode == code, told
        return told

    def pid(self, unit: str) -> int:
        return int(self.machine.unit_properties(unit)["MainPID"])

    def state(self, unit: str) -> str:
        return self.machine.unit(unit).active_state


@pytest.fixture(scope="module")
def host(machine_root: Callable[[str], Path], shared_store: Store) -> Generator[Host]:
    tree = machine_root("trixie")
    engine = engine_archive(shared_store)
    with boot_layers((tree,), settings=Settings(name="switch")) as machine:
        machine.succeed(["sh", "-c", install_script(engine.hex)], stdin=engine.path.read_bytes())
        yield Host(machine)


def hello(version: str, description: str = "Hello", **more: object) -> dict[str, Unit]:
    unit = Unit(HELLO.format(description, version), wanted_by=TARGET, **more)  # type: ignore[arg-type]
    return {"hello.service": unit}


def test_units_live_with_their_files(host: Host) -> None:
    host.switch(units=hello("1"))
    assert host.state("hello.service") == "active"
    first = host.pid("hello.service")
    host.switch(units=hello("1", "Another description"))
    assert host.pid("hello.service") == first, "nothing that a running unit would notice"
    assert "Environment changed" in host.switch("--dry-run", units=hello("2"))
    assert host.pid("hello.service") == first
    host.switch(units=hello("2"))
    second = host.pid("hello.service")
    assert second != first
    assert "VERSION=2" in host.machine.succeed(["cat", f"/proc/{second}/environ"])
    host.switch(units=hello("3", on_change="nothing"))
    assert host.pid("hello.service") == second
    host.switch(units={"hello.service": Unit(masked=True)})
    assert host.state("hello.service") == "inactive"
    host.machine.fail("systemctl start hello.service")
    host.switch(units=hello("3"))
    assert host.state("hello.service") == "active", "unmasked, and wanted by a target that runs"
    host.switch(units={})
    assert host.state("hello.service") == "inactive"
    assert host.machine.unit("hello.service").load_state == "not-found"


def test_what_fails_to_start_is_taken_back_with_its_journal(host: Host) -> None:
    host.switch(units=hello("1"), files={"/etc/kept": TextFile("old\n")})
    first = host.pid("hello.service")
    bad = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo last words; exit 3'\n"
    units = {**hello("2"), "bad.service": Unit(bad, wanted_by=TARGET)}
    told = host.switch(code=3, units=units, files={"/etc/kept": TextFile("new\n")})
    assert "bad.service: failed" in told and "last words" in told and "as it was before" in told
    assert host.machine.read_file("/etc/kept") == "old\n"
    assert host.state("hello.service") == "active" and host.pid("hello.service") != first
    assert "VERSION=1" in host.machine.succeed(["cat", f"/proc/{host.pid('hello.service')}/environ"])
    assert host.machine.unit("bad.service").load_state in ("not-found", "loaded")
    host.machine.fail("test -e /etc/systemd/system/bad.service")
    assert "nothing" in host.switch(units=hello("1"), files={"/etc/kept": TextFile("old\n")}).lower()


def test_a_service_that_ends_at_once_fails_the_switch(host: Host) -> None:
    short = Unit("[Service]\nExecStart=/bin/sh -c 'echo gone; exit 1'\n", wanted_by=TARGET)
    told = host.switch(code=3, units={"short.service": short})
    assert "short.service" in told and "gone" in told


def test_probes_decide(host: Host) -> None:
    host.switch(files={"/etc/probed": TextFile("1\n")})
    bad = Health({"page": HttpProbe("http://127.0.0.1:9/"), "ok": CommandProbe(("true",))}, deadline=1)
    told = host.switch(code=3, files={"/etc/probed": TextFile("2\n")}, health=bad)
    assert "probe 'page': http://127.0.0.1:9/" in told
    assert host.machine.read_file("/etc/probed") == "1\n"
    good = Health({"file": CommandProbe(("grep", "-q", "2", "/etc/probed"))}, deadline=5)
    host.switch(files={"/etc/probed": TextFile("2\n")}, health=good)


def test_checks_are_told_together_and_touch_nothing(host: Host) -> None:
    checks = {"one": Check(("false",), "first reason"), "two": Check(("sh", "-c", "echo second; exit 1"))}
    told = host.switch(code=5, files={"/etc/never": TextFile("")}, checks=checks)
    assert "first reason" in told and "second" in told
    host.machine.fail("test -e /etc/never")


def test_tasks_run_once_and_settings_come_back(host: Host) -> None:
    task = Task(("sh", "-c", "echo x >>/root/ran"), undo=("rm", "/root/ran"))
    for _ in range(2):
        host.switch(tasks={"once": task}, sysctl={"net.ipv4.ip_forward": "1"})
    assert host.machine.read_file("/root/ran") == "x\n"
    assert host.machine.read_file("/proc/sys/net/ipv4/ip_forward") == "1\n"
    host.switch(files={"/etc/other": TextFile("")})
    host.machine.fail("test -e /root/ran")
    assert host.machine.read_file("/proc/sys/net/ipv4/ip_forward") == "0\n"
