"""Units of every kind on a machine that runs: what a change of each does to it, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from holdfast.engine.archive import engine_archive
from holdfast.engine.launch import install_script
from holdfast.machine import Machine, Settings, boot_layers
from holdfast.manifest.document import write_manifest
from holdfast.manifest.model import (
    SCHEMA_VERSION,
    Distribution,
    Identity,
    Manifest,
    TextFile,
    Unit,
    User,
)
from holdfast.store import Store

pytestmark = [pytest.mark.system, pytest.mark.network]

TARGET = ("multi-user.target",)
SLEEP = "[Service]\nEnvironment=V={0}\nExecStart=/usr/bin/sleep infinity\n"
ECHO = (
    "import socket,sys\ns=socket.socket(fileno=3)\n"
    "while True:\n c,_=s.accept(); c.sendall(sys.argv[1].encode()); c.close()\n"
)


class Host:
    """A machine with the engine on it."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def switch(self, *, code: int = 0, planned: bool = False, **manifest: object) -> str:
        """What the switch told, and what the plan said would happen if ``planned``."""
        made = Manifest(
            SCHEMA_VERSION,
            "units",
            Distribution("debian", "trixie", "amd64"),
            Identity("units", None, None),
            **manifest,  # type: ignore[arg-type]
        )
        self.machine.write_file("/root/wanted.json", write_manifest(made).decode())
        foretold = self.run("plan", "/root/wanted.json") if planned else ""
        return foretold + self.run("switch", "/root/wanted.json", code=code)

    def run(self, *words: str, code: int = 0) -> str:
        done = self.machine.execute(["holdfast", *words], timeout=120)
        told = done.text + done.stderr.decode()
        assert done.returncode == code, told
        return told

    def show(self, unit: str, key: str, user: str = "") -> str:
        show = f"show --value --property={key} {unit}"
        if not user:
            return self.machine.succeed(f"systemctl {show}").strip()
        own = f"runuser -u {user} -- env XDG_RUNTIME_DIR=/run/user/$(id -u {user}) systemctl --user {show}"
        return self.machine.succeed(own).strip()

    def states(self, *units: str) -> list[str]:
        return self.machine.succeed(
            ["systemctl", "show", "--value", "--property=ActiveState", *units]
        ).split()


@pytest.fixture(scope="module")
def host(machine_root: Callable[[str], Path], shared_store: Store) -> Generator[Host]:
    engine = engine_archive(shared_store)
    with boot_layers((machine_root("trixie"),), settings=Settings(name="units")) as machine:
        machine.succeed(["sh", "-c", install_script(engine.hex)], stdin=engine.path.read_bytes())
        yield Host(machine)


def test_packaged_units_come_back_as_they_ran(host: Host) -> None:
    """An override of the whole file, of a unit that ran before us, goes: the packaged one runs on."""
    packaged = host.show("cron.service", "ExecStart")
    first = host.show("cron.service", "MainPID")
    host.switch(units={"cron.service": Unit(SLEEP.format(1)), "nginx.service": Unit(enable=False)})
    assert "sleep" in host.show("cron.service", "ExecStart")
    assert host.states("nginx.service") == ["inactive"]
    told = host.switch(planned=True, units={"ssh.service": Unit(masked=True)})
    assert host.states("cron.service", "ssh.service") == ["active", "inactive"]
    assert "restart cron.service" in told
    assert host.show("cron.service", "ExecStart").split(";")[:2] == packaged.split(";")[:2]
    assert host.show("cron.service", "MainPID") != first
    host.run("deactivate")
    assert host.states("cron.service", "ssh.service", "nginx.service") == ["active"] * 3


def test_what_we_enabled_stops_when_we_let_go_of_it(host: Host) -> None:
    host.machine.succeed("systemctl disable --now cron.service 2>&1; systemctl is-enabled ssh.service")
    host.switch(units={"cron.service": Unit(enable=True), "ssh.service": Unit(enable=True)})
    assert host.states("cron.service", "ssh.service") == ["active", "active"]
    assert "no longer wanted by multi-user.target" in host.switch(planned=True, units={})
    assert host.states("cron.service", "ssh.service") == ["inactive", "active"], "ssh was enabled before us"
    host.machine.succeed("systemctl enable --now cron.service 2>&1")


def test_sockets_and_their_services(host: Host) -> None:
    def units(path: str, version: str, **more: object) -> dict[str, Unit]:
        service = f"[Service]\nExecStart=/usr/bin/python3 /root/echo.py {version}\n"
        return {
            "talk.socket": Unit(f"[Socket]\nListenStream={path}\nService=answer.service\n", wanted_by=("sockets.target",)),
            "answer.service": Unit(service, **more),  # type: ignore[arg-type]
            "each.socket": Unit(f"[Socket]\nListenStream={path}.each\nAccept=yes\n", wanted_by=("sockets.target",)),
            "each@.service": Unit(f"[Service]\nStandardInput=socket\nExecStart=/bin/sh -c 'echo {version}; sleep 99'\n"),
        }  # fmt: skip

    def ask(path: str) -> str:
        return host.machine.succeed(
            ["python3", "-c", f"import socket; s=socket.socket(socket.AF_UNIX); s.connect({path!r}); print(s.recv(9).decode())"]
        ).strip()  # fmt: skip

    host.machine.write_file("/root/echo.py", ECHO)
    host.switch(units=units("/run/a", "1"))
    assert host.states("talk.socket", "answer.service") == ["active", "inactive"]
    assert (ask("/run/a"), host.states("answer.service")) == ("1", ["active"])
    host.switch(units=units("/run/a", "2"))
    assert ask("/run/a") == "2"
    host.machine.succeed("(sleep 90 | python3 -c 'import socket,time; s=socket.socket(socket.AF_UNIX); s.connect(\"/run/a.each\"); time.sleep(90)') >/dev/null 2>&1 & sleep 0.5")  # fmt: skip
    told = host.switch(planned=True, units=units("/run/b", "2"))
    assert "stop    answer.service" in told and "start   answer.service" not in told
    assert host.states("talk.socket", "answer.service", "each.socket") == ["active", "inactive", "active"]
    listed = host.machine.succeed("systemctl list-units --plain --no-legend 'each@*'")
    assert listed.count("running") == 1, "a connection outlives its socket"
    assert ask("/run/b") == "2"
    host.machine.fail("test -S /run/a.gone -o -e /etc/systemd/system/talk.service")
    host.switch(units={})
    assert host.states("talk.socket", "answer.service") == ["inactive", "inactive"]


def test_a_new_socket_of_a_service_that_runs(host: Host) -> None:
    service = Unit(SLEEP.format(1), wanted_by=TARGET)
    host.switch(units={"late.service": service})
    first = host.show("late.service", "MainPID")
    socket = Unit("[Socket]\nListenStream=/run/late\n", wanted_by=("sockets.target",))
    host.switch(units={"late.service": service, "late.socket": socket})
    assert host.states("late.service", "late.socket") == ["active", "active"]
    assert host.show("late.service", "MainPID") != first


def test_timers_paths_templates_targets_and_drop_ins_for_many(host: Host) -> None:
    once = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo {0} >>/root/{0}'\n"

    def units(hours: int, watched: str, version: int, extra: str) -> dict[str, Unit]:
        return {
            "t.timer": Unit(f"[Timer]\nOnCalendar=*-*-* 0{hours}:00\nPersistent=yes\n", wanted_by=("timers.target",)),
            "t.service": Unit(once.format("timed")),
            "p.path": Unit(f"[Path]\nPathExists={watched}\nUnit=q.service\n", wanted_by=("paths.target",)),
            "q.service": Unit(SLEEP.format(0)),
            "many@.service": Unit(SLEEP.format(version)),
            "many@a.service": Unit(wanted_by=TARGET),
            "many@b.service": Unit(wanted_by=("default.target",)),
            "group.target": Unit(f"[Unit]\nWants={extra}\n", wanted_by=TARGET),
            "x.service": Unit(SLEEP.format(0), aliases=("y.service",)),
            "z.service": Unit(SLEEP.format(0)),
            "s.slice": Unit(f"[Slice]\nTasksMax={100 + version}\n", wanted_by=TARGET),
        }  # fmt: skip

    host.switch(units=units(3, "/root/never", 1, "x.service"))
    assert host.states("t.timer", "t.service", "p.path", "x.service", "y.service", "z.service") == [
        "active", "inactive", "active", "active", "active", "inactive",
    ]  # fmt: skip
    before = [host.show(f"many@{one}.service", "MainPID") for one in "ab"]
    assert "0" not in before, "also what default.target wants by another name of it"
    kept = host.show("x.service", "MainPID")
    many = {"/etc/systemd/system/service.d/nice.conf": TextFile("[Service]\nNice=3\n")}
    told = host.switch(planned=True, units=units(4, "/etc/passwd", 2, "x.service z.service"), files=many)
    assert "service.d/nice.conf changes every service" in told
    assert "04:00" in host.show("t.timer", "TimersCalendar")
    assert host.states("t.service", "z.service", "q.service") == ["inactive", "active", "active"]
    after = [host.show(f"many@{one}.service", "MainPID") for one in "ab"]
    assert not set(before) & {*after, "0"}
    assert host.show("x.service", "MainPID") == kept, "nothing that it says itself has changed"
    assert host.show("x.service", "Nice") == "3", "and the next start has the new drop-in"
    assert host.show("s.slice", "TasksMax") == "102", "without a restart"
    host.switch(units={})
    gone = ("t.timer", "p.path", "many@a.service", "many@b.service", "x.service", "z.service", "s.slice")
    assert host.states(*gone) == ["inactive"] * len(gone)


def test_mounts(host: Host) -> None:
    def units(options: str, what: str) -> dict[str, Unit]:
        mount = f"[Mount]\nWhat={what}\nWhere=/srv/data\nType=tmpfs\nOptions={options}\n"
        return {
            "srv-data.mount": Unit(mount, wanted_by=("local-fs.target",)),
        }  # fmt: skip

    host.switch(units=units("size=1m", "one"))
    host.machine.succeed("touch /srv/data/file")
    host.switch(units=units("size=2m", "one"))
    assert "size=2048k" in host.machine.succeed("test -e /srv/data/file; findmnt -no OPTIONS /srv/data")
    host.switch(units=units("size=2m", "two"))
    assert host.machine.succeed("findmnt -no SOURCE /srv/data").strip() == "two"
    host.machine.succeed("cd /srv/data && (sleep 60 >/dev/null 2>&1 & echo $! >/root/busy)")
    told = host.switch(code=3, units=units("size=2m", "three"))
    assert "srv-data.mount" in told
    assert host.machine.succeed("findmnt -no SOURCE /srv/data").strip() == "two", "what is in use stays"
    host.machine.succeed("kill $(cat /root/busy)")
    host.switch(units={})
    assert host.states("srv-data.mount") == ["inactive"]


def test_units_of_users(host: Host) -> None:
    """Who lingers gets a manager at once; it takes up, changes and gives up units as the system's does."""

    def switch(version: int) -> str:
        units = {"mine.service": Unit(SLEEP.format(version), wanted_by=("default.target",))}
        return host.switch(users={"ann": User(linger=True)}, user_units=units, planned=True)

    assert "start   user@" in switch(1)
    uid = host.machine.succeed("id -u ann").strip()
    assert host.show("mine.service", "ActiveState", "ann") == "active"
    first = host.show("mine.service", "MainPID", "ann")
    told = switch(2)
    assert "restart mine.service of ann" in told
    assert host.show("mine.service", "Environment", "ann") == "V=2"
    second = host.show("mine.service", "MainPID", "ann")
    assert first != second
    bad = {"bad.service": Unit("[Service]\nType=oneshot\nExecStart=/bin/false\n", wanted_by=TARGET)}
    told = host.switch(code=3, users={"ann": User(linger=True)}, units=bad)
    assert "bad.service" in told
    assert host.show("mine.service", "ActiveState", "ann") == "active", (
        "stopped, and started again with its old file"
    )
    broken = {"sad.service": Unit("[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo why; false'\n", wanted_by=("default.target",))}  # fmt: skip
    told = host.switch(users={"ann": User(linger=True)}, user_units=broken)
    assert "sad.service" in told and "why" in told, "what fails there is told, and is the user's to mend"
    assert host.show("mine.service", "LoadState", "ann") == "not-found"
    host.switch(users={"ann": User()})
    assert host.states(f"user@{uid}.service") == ["inactive"]


def test_other_ways_to_systemd(host: Host) -> None:
    """Through the system bus; and none at all is said, not passed over."""
    asking = "from holdfast.host.units.systemd import connect; print(connect().states()['multi-user.target'].active)"
    place = host.machine.succeed("ls -d /var/lib/holdfast/engine/*[0-9a-f]").split()[-1]
    ask = f'PYTHONPATH={place} python3 -c "{asking}" 2>&1'
    hide = "mv /run/systemd/private /run/systemd/away; {0}; mv /run/systemd/away /run/systemd/private"
    assert host.machine.succeed(hide.format(ask)).strip() == "active"
    told = host.machine.succeed(
        hide.format(f"mount -t tmpfs none /run/dbus; {ask} || true; umount /run/dbus")
    )
    assert "it cannot be asked or told anything" in told
