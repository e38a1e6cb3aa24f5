from __future__ import annotations

import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.process import ProcessError
from holdfast.machine import Machine, NotInTime

pytestmark = [pytest.mark.system, pytest.mark.network]


def test_it_is_up_and_well(machine: Machine) -> None:
    assert machine.system_state() == "running"
    assert machine.failed_units() == ()
    assert machine.name == "shared"


def test_commands_tell_their_end_faithfully(machine: Machine) -> None:
    done = machine.execute("echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")
    assert machine.execute("kill -KILL $$").returncode == -9
    assert machine.execute(["printf", "%s|", "a b", "$HOME"]).text == "a b|$HOME|"
    assert machine.succeed(["cat"], stdin=b"given") == "given"
    assert machine.execute("false; echo not reached").stdout == b""


def test_the_environment_is_a_clean_login(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "1")
    names = {line.split("=")[0] for line in machine.succeed("env", env={"MINE": "1"}).splitlines()}
    assert names == {"PATH", "LANG", "LC_ALL", "TZ", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "MINE"}
    assert machine.succeed("pwd; id -un; tty || true").split("\n")[:2] == ["/root", "root"]


def test_failures_name_machine_and_command(machine: Machine) -> None:
    with pytest.raises(ProcessError) as caught:
        machine.succeed("echo evidence >&2; exit 7")
    assert caught.value.returncode == 7
    for part in ("evidence", "exit 7", "on the machine shared"):
        assert part in str(caught.value)
    with pytest.raises(HoldfastError, match="should have failed"):
        machine.fail("echo fine")
    assert machine.fail("exit 5").returncode == 5
    with pytest.raises(HoldfastError, match="cannot run no-such-program on shared"):
        machine.execute(["no-such-program"])


def test_a_deadline_kills_a_command_and_its_children(machine: Machine) -> None:
    started = time.monotonic()
    with pytest.raises(HoldfastError, match=r"did not finish within 0\.3 seconds"):
        machine.execute("sleep 4321 & sleep 4321", timeout=0.3)
    assert time.monotonic() - started < 3
    assert machine.execute(["pgrep", "-f", "^no such process"]).returncode == 1
    machine.wait_until_fails(["pgrep", "-f", "^sleep 4321"])


def test_units_are_waited_for_by_events(machine: Machine) -> None:
    assert machine.wait_for_unit("nginx.service").sub_state == "running"
    machine.write_file(
        "/run/systemd/system/late.service",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sleep 0.7\n",
    )
    machine.write_file(
        "/run/systemd/system/bad.service",
        "[Service]\nType=oneshot\nExecStart=sh -c 'echo last words; sleep 0.3; exit 3'\n",
    )
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "--no-block", "late.service")
    started = time.monotonic()
    assert machine.wait_for_unit("late.service").active_state == "active"
    assert 0.3 < time.monotonic() - started < 5
    with pytest.raises(HoldfastError) as caught:
        # A oneshot is activating until it has failed: a simple service would be active for a moment.
        machine.systemctl("start", "--no-block", "bad.service")
        machine.wait_for_unit("bad.service")
    assert "bad.service of shared has failed" in str(caught.value)
    assert "last words" in str(caught.value)
    assert [unit.name for unit in machine.failed_units()] == ["bad.service"]
    machine.systemctl("reset-failed")


def test_systemd_may_say_as_much_as_it_likes(machine: Machine) -> None:
    """Every reload is told to nspawn, and by it to us: not listening would stop the container after some."""
    machine.succeed("for n in $(seq 30); do timeout 20 systemctl daemon-reload; done", timeout=120)


def test_a_unit_nobody_starts_is_told_at_once(machine: Machine) -> None:
    with pytest.raises(HoldfastError, match="nothing is going to start it"):
        machine.wait_for_unit("systemd-halt.service", timeout=20)
    with pytest.raises(
        HoldfastError, match=r"no-such\.service of shared cannot become active: it is not-found"
    ):
        machine.wait_for_unit("no-such.service", timeout=20)


def test_a_missed_unit_shows_its_journal(machine: Machine) -> None:
    machine.write_file(
        "/run/systemd/system/slow.service", "[Service]\nType=oneshot\nExecStart=sh -c 'echo busy; sleep 99'\n"
    )
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "--no-block", "slow.service")
    machine.wait_until_succeeds("journalctl -u slow.service | grep -q busy")
    with pytest.raises(NotInTime) as caught:
        machine.wait_for_unit("slow.service", timeout=0.3)
    machine.systemctl("stop", "slow.service")
    for part in ("slow.service of shared after 0.3 seconds", "It is activating", "busy"):
        assert part in str(caught.value)


def test_ports_are_those_of_its_own_network(machine: Machine) -> None:
    machine.wait_for_open_port(80)
    machine.wait_for_closed_port(81)
    with pytest.raises(NotInTime, match=r"port 81 of shared after 0\.2 seconds"):
        machine.wait_for_open_port(81, timeout=0.2)
    assert "lo" in machine.succeed("cat /proc/net/dev")
    answer = machine.http_get("http://localhost/")
    assert answer.status == 200 and "nginx" in answer.text
    assert machine.http_get("http://127.0.0.1/none").status == 404
    with pytest.raises(HoldfastError, match="cannot be fetched on shared"):
        machine.http_get("http://127.0.0.1:81/")


def test_a_port_can_be_forwarded_to_this_machine(machine: Machine) -> None:
    machine.wait_for_open_port(80)
    with machine.forward(80) as port:
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                assert b"nginx" in answer.read()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        pass
    with machine.forward(81) as port, socket.create_connection(("127.0.0.1", port), timeout=5) as refused:
        assert refused.recv(1) == b""


def test_files_are_waited_for(machine: Machine) -> None:
    timer = threading.Timer(0.2, lambda: machine.write_file("/run/there", ""))
    timer.start()
    machine.wait_for_file("/run/there", timeout=10)
    timer.join()
    with pytest.raises(NotInTime, match="the file /run/not-there on shared"):
        machine.wait_for_file("/run/not-there", timeout=0.1)
    with pytest.raises(NotInTime, match="to succeed on shared"):
        machine.wait_until_succeeds("echo why >&2; false", timeout=0.1)


def test_files_travel_both_ways(machine: Machine, tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "sub").mkdir(parents=True)
    (source / "sub/data").write_bytes(bytes(range(256)) * 5000)
    (source / "script").write_text("#!/bin/sh\necho ran\n")
    (source / "script").chmod(0o755)
    (source / "link").symlink_to("script")
    machine.copy_to(source, "/opt/new/place")
    assert machine.succeed(["/opt/new/place/link"]) == "ran\n"
    assert machine.succeed(["stat", "-c", "%U:%G %a", "/opt/new/place/script"]) == "root:root 755\n"
    machine.copy_from("/opt/new/place", tmp_path / "back")
    assert (tmp_path / "back/sub/data").read_bytes() == (source / "sub/data").read_bytes()
    machine.copy_from("/etc/debian_version", tmp_path / "one")
    assert (tmp_path / "one").read_text() == machine.read_file("/etc/debian_version")
    machine.copy_from("/opt/new/place/link", tmp_path / "followed")
    assert (tmp_path / "followed").read_text() == (source / "script").read_text()
    with pytest.raises(HoldfastError, match="not there on the machine shared"):
        machine.copy_from("/no/such", tmp_path / "x")
    with pytest.raises(HoldfastError, match="cannot read"):
        machine.copy_to(tmp_path / "missing", "/opt/x")


def test_journal_and_console_can_be_read(machine: Machine) -> None:
    assert "Started" in machine.journal("nginx.service")
    assert len(machine.journal(lines=3).splitlines()) == 3
    console = machine.console_log()
    assert "Welcome to" in console and "\x1b" not in console


def test_a_link_in_the_machine_leads_to_no_socket_or_device_of_ours(machine: Machine, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as ours:
        ours.bind(str(tmp_path / "ours"))
        ours.listen()
        ours.setblocking(False)
        machine.succeed(f"cd /run/systemd; mv private real; ln -s {tmp_path}/ours private")
        try:
            with pytest.raises(HoldfastError, match="find the socket"):
                machine.system_state()
            with pytest.raises(BlockingIOError):
                ours.accept()
        finally:
            machine.succeed("cd /run/systemd; mv -f real private")
    assert machine.system_state() in ("running", "degraded")


def test_the_console_holds_nothing_that_a_terminal_obeys(machine: Machine) -> None:
    machine.succeed(r"printf '\033\033[0m[2Jmark\302\2332J\n' >/dev/console")
    end = time.monotonic() + 5
    while "mark" not in machine.console_log():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert "[2Jmark2J\n" in machine.console_log()


def test_threads_may_use_it_together(machine: Machine) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda n: machine.succeed(f"echo {n}"), range(8))) == [
            f"{n}\n" for n in range(8)
        ]
        units = pool.map(lambda _: machine.wait_for_unit("nginx.service").active_state, range(4))
        assert set(units) == {"active"}


def test_a_shell_has_a_terminal_inside(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    assert machine.shell(["sh", "-c", "tty; exit 9"]) == 9
    assert "/dev/pts/" in capfd.readouterr().out
