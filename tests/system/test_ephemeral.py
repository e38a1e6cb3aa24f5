"""`holdfast switch --ephemeral`: tried until the next reboot, with nothing on the disk that knows of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.library import Files, Packages, Systemd, Users
from holdfast.machine import Settings, boot_layers
from holdfast.options import Module
from holdfast.store import Store
from tests.scenarios.host import NAME, Host

pytestmark = pytest.mark.system

_DISK = (
    "cd / && find etc usr/local opt srv var/lib/holdfast/host -xdev ! -name lock -printf '%p %y %m %U %l\\n' | sort;"
    " find etc usr/local opt srv var/lib/holdfast/host -xdev -type f ! -name lock | sort | xargs sha256sum"
)


def _kept(m: Module) -> None:
    m[Files]["/etc/motd"].text = "kept\n"
    m[Files]["/etc/gone.conf"].text = "kept\n"
    m[Systemd].services["kept"].exec_start = ["/bin/sleep", "infinity"]
    m[Systemd].services["kept"].wanted_by = ["multi-user.target"]
    m[Systemd].services["dropped"].exec_start = ["/bin/sleep", "infinity"]
    m[Systemd].services["dropped"].wanted_by = ["multi-user.target"]


def _tried(m: Module) -> None:
    m[Files]["/etc/motd"].text = "tried\n"
    m[Files]["/opt/tool/run"].text = "#!/bin/sh\necho ran\n"
    m[Files]["/opt/tool/run"].mode = "0755"
    m[Systemd].services["kept"].exec_start = ["/bin/sleep", "1000"]
    m[Systemd].services["kept"].wanted_by = ["multi-user.target"]
    m[Systemd].services["new"].exec_start = ["/bin/sleep", "infinity"]
    m[Systemd].services["new"].wanted_by = ["multi-user.target"]


def _only_new(m: Module) -> None:
    m[Systemd].services["new"].exec_start = ["/bin/sleep", "infinity"]
    m[Systemd].services["new"].wanted_by = ["multi-user.target"]


def _broken(m: Module) -> None:
    _tried(m)
    m[Systemd].services["new"].exec_start_pre = [["/bin/false"]]


def _slow(m: Module) -> None:
    _tried(m)
    m[Systemd].services["new"].exec_start_pre = [["/bin/sleep", "60"]]


def _refused(m: Module) -> None:
    _tried(m)
    m[Users].users["ann"].uid = 1500
    m[Packages].install = ["nowhere"]
    m[Files]["/var/lib/thing"].text = "x"


@pytest.fixture(scope="module")
def host(machine_root: Callable[[str], Path], shared_store: Store) -> object:
    with boot_layers((machine_root("trixie"),), settings=Settings(name=NAME)) as machine:
        host = Host(machine, "trixie", shared_store)
        host.install_engine()
        host.machine.succeed("rm -f /etc/motd; echo old > /etc/motd")
        yield host


def _disk(host: Host) -> str:
    """What the disk has, whatever is mounted over it: seen from a mount of the root alone."""
    host.machine.succeed("mkdir -p /run/disk && mount --bind --make-private / /run/disk")
    try:
        return host.machine.succeed(_DISK.replace("cd /", "cd /run/disk"))
    finally:
        host.machine.succeed("umount /run/disk")


def _status(host: Host) -> dict[str, object]:
    found: dict[str, object] = json.loads(host.execute("status", "--json").stdout)
    return found


def _is_tried(host: Host) -> None:
    read = host.machine.read_file
    assert read("/etc/motd") == "tried\n" and host.machine.succeed("/opt/tool/run") == "ran\n"
    assert "1000" in host.machine.succeed("systemctl show -P ExecStart kept.service")
    assert host.state("new.service") == "active" == host.state("kept.service")
    assert host.state("dropped.service") == "inactive" and not host.exists("/etc/gone.conf")


def _is_kept(host: Host) -> None:
    assert host.machine.read_file("/etc/motd") == "kept\n" == host.machine.read_file("/etc/gone.conf")
    assert not host.exists("/opt/tool") and not host.exists("/run/systemd/system/new.service")
    assert "infinity" in host.machine.succeed("systemctl show -P ExecStart kept.service")
    assert host.state("kept.service") == "active" == host.state("dropped.service")
    assert host.state("new.service") == "inactive"
    assert "holdfast-trial" not in host.machine.read_file("/proc/self/mountinfo")
    assert not host.exists("/run/holdfast/trial")


def test_a_trial_is_gone_when_it_ends_and_leaves_the_disk_alone(host: Host) -> None:
    host.switch(_kept)
    disk = _disk(host)
    told = host.plan(_tried, options=("--ephemeral",))
    assert "try, until the next reboot" in told and "is read-only as long as the trial lasts" in told
    assert _disk(host) == disk and _status(host)["trial"] is None
    # Tried, shown, and ended by rollback.
    told = host.switch(_tried, options=("--ephemeral",))
    assert "This lasts until the next reboot" in told
    _is_tried(host)
    assert _disk(host) == disk
    status = _status(host)
    assert isinstance(status["trial"], dict) and "/etc/motd" in status["trial"]["paths"]
    assert status["generation"] == 1 and not status["drift"], status
    assert "on trial until the next reboot" in host.run("status")
    assert "The trial is over" in host.run("rollback")
    _is_kept(host)
    assert _disk(host) == disk and _status(host)["trial"] is None
    # A trial in place of a trial, then a switch to what there was, which is not "nothing to do".
    host.switch(_only_new, options=("--ephemeral",))
    assert host.state("kept.service") == "inactive"
    host.switch(_tried, options=("--ephemeral",))
    _is_tried(host)
    assert "The trial is over" in host.switch(_kept)
    _is_kept(host)
    assert _disk(host) == disk


def test_what_fails_or_is_killed_or_refused_leaves_nothing(host: Host) -> None:
    host.switch(_kept)
    disk = _disk(host)
    told = host.switch(_broken, options=("--ephemeral",), code=3)
    assert "The trial was taken back" in told
    _is_kept(host)
    assert _disk(host) == disk
    # Killed on the way: the next command that changes something takes it back.
    words = " ".join(host.bring(_slow))
    host.machine.succeed(f"holdfast switch {words} --ephemeral >/dev/null 2>&1 &")
    host.machine.wait_until_succeeds("systemctl show -P ActiveState new.service | grep -x activating")
    assert host.machine.read_file("/etc/motd") == "tried\n"
    host.machine.succeed("systemctl kill --signal=KILL holdfast-switch.service; systemctl stop new.service")
    assert _status(host)["interrupted"] == "a trial"
    assert "taken back" in host.run("recover")
    _is_kept(host)
    assert _disk(host) == disk


def test_what_would_stay_is_refused_in_words(host: Host) -> None:
    host.switch(_kept)
    disk = _disk(host)
    for told in (
        host.switch(_refused, options=("--ephemeral",), code=5),
        host.plan(_refused, options=("--ephemeral",), code=5),
    ):
        assert "users and groups cannot be tried: ann" in told, told
        assert "nothing in /var/lib can come or go" in told
    host.run("switch", *host.bring(_tried), "--ephemeral", "--confirm", "60", code=1)
    assert _disk(host) == disk and _status(host)["trial"] is None


def test_a_reboot_ends_it_and_so_does_deactivate(host: Host) -> None:
    host.switch(_kept)
    disk = _disk(host)
    host.switch(_tried, options=("--ephemeral",))
    host.machine.reboot()
    host.machine.wait_for_unit("multi-user.target")
    _is_kept(host)
    assert _disk(host) == disk and _status(host)["trial"] is None
    host.switch(_tried, options=("--ephemeral",))
    host.run("deactivate")
    assert host.machine.read_file("/etc/motd") == "old\n" and not host.exists("/opt/tool")
    assert host.state("kept.service") == host.state("new.service") == "inactive"
    # Where nothing else is managed, either of them ends it.
    host.switch(_only_new, options=("--ephemeral",))
    assert host.state("new.service") == "active" and _status(host)["generation"] is None
    assert "The trial is over" in host.run("deactivate")
    assert host.state("new.service") == "inactive"


def test_what_nobody_confirmed_is_back_after_a_reboot_units_too(host: Host) -> None:
    host.switch(_kept)
    host.switch(_tried, options=("--confirm", "600"))
    _is_tried(host)
    host.machine.reboot()
    host.machine.wait_until_succeeds("systemctl is-active dropped.service")
    _is_kept(host)
    assert host.machine.failed_units() == () and not _status(host)["unconfirmed"]
    assert "Nothing to change" in host.switch(_kept)
    host.run("deactivate")
