from __future__ import annotations

import dataclasses
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, OutputLine, StageStarted, listen, stage
from holdfast.base.process import ProcessError
from holdfast.sandbox import Bind, Root, Sandbox, enter, run, stream

pytestmark = pytest.mark.system


def shell(place: Sandbox, script: str) -> str:
    return run(place, ["sh", "-ec", script]).text.strip()


@pytest.mark.parametrize(
    ("script", "returncode"),
    [("exit 0", 0), ("exit 3", 3), ("exit 137", 137), ("kill -KILL $$", -9), ("kill -TERM $$", -15)],
)
def test_exit_codes_and_signals_are_told_apart(place: Sandbox, script: str, returncode: int) -> None:
    assert run(place, ["sh", "-c", script], check=False).returncode == returncode


def test_devices_are_the_usual_few_and_work(place: Sandbox) -> None:
    names = shell(place, "ls /dev").split()
    assert names == sorted(
        [
            "core",
            "fd",
            "full",
            "null",
            "ptmx",
            "pts",
            "random",
            "shm",
            "stderr",
            "stdin",
            "stdout",
            "tty",
            "urandom",
            "zero",
        ]
    )
    assert (
        shell(
            place,
            "echo x >/dev/null; head -c4 /dev/urandom | wc -c; echo y >/dev/full 2>/dev/null || echo full",
        )
        == "4\nfull"
    )
    terminal = shell(place, "script -qec 'tty' /dev/null </dev/null 2>&1 | tr -d '\\r'")
    assert terminal == "/dev/pts/0", "a pty of its own"


def test_root_inside_is_root(place: Sandbox) -> None:
    assert shell(place, "grep -E 'NoNewPrivs' /proc/self/status").split()[1] == "0"
    script = (
        "mknod /tmp/null c 1 3; echo x >/tmp/null; cp /bin/true /tmp/t; chown 12:34 /tmp/t; chmod 4755 /tmp/t;"
        "stat -c '%u %g %a %t' /tmp/t /tmp/null; setcap cap_net_raw+ep /tmp/t; getcap /tmp/t; chroot / true"
    )
    assert shell(place, script) == "12 34 4755 0\n0 0 644 1\n/tmp/t cap_net_raw=ep"


def test_processes_network_and_name_are_its_own(place: Sandbox) -> None:
    assert shell(place, "hostname; cat /proc/net/dev | grep -c :") == "holdfast\n1"
    assert int(shell(place, "ls -d /proc/[0-9]* | wc -l")) < 6
    assert (
        shell(place, "python3 -c 'import socket; s=socket.create_server((\"127.0.0.1\",0)); print(1)'") == "1"
    )
    for name in ("pid", "net", "ipc", "uts", "mnt"):
        assert shell(place, f"readlink /proc/self/ns/{name}") != str(Path(f"/proc/self/ns/{name}").readlink())
    shared = dataclasses.replace(place, network=True)
    assert shell(shared, "readlink /proc/self/ns/net") == str(Path("/proc/self/ns/net").readlink())


def test_names_can_be_resolved_where_the_network_is_shared(place: Sandbox) -> None:
    shared = dataclasses.replace(place, network=True)
    assert shell(shared, "cat /etc/resolv.conf") == Path("/etc/resolv.conf").read_text().strip()
    assert shell(place, "test -e /etc/resolv.conf || echo none") == "none"


def test_the_environment_is_chosen(place: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "1")
    chosen = dataclasses.replace(place, env={"MINE": "1"})
    names = {line.split("=")[0] for line in shell(chosen, "env").splitlines()}
    assert names == {"PATH", "LANG", "LC_ALL", "TZ", "HOME", "MINE", "PWD"}


def test_binds_are_read_only_unless_said(place: Sandbox, tmp_path: Path) -> None:
    for name in ("shown", "open"):
        (tmp_path / name).mkdir()
    (tmp_path / "single").write_text("one")
    binds = {
        **place.binds,
        "/new/shown": Bind(tmp_path / "shown"),
        "/new/open": Bind(tmp_path / "open", writable=True),
        "/etc/single": Bind(tmp_path / "single"),
    }
    script = "touch /new/open/x; touch /new/shown/x 2>/dev/null || echo refused; cat /etc/single"
    assert shell(dataclasses.replace(place, binds=binds), script) == "refused\none"
    assert (tmp_path / "open/x").exists()
    missing = dataclasses.replace(place, binds={"/x": Bind(tmp_path / "missing")})
    with pytest.raises(HoldfastError, match="missing is not there"):
        run(missing, ["true"])


def test_one_entry_serves_many_commands(place: Sandbox) -> None:
    with enter(place) as inside:
        inside.run(["touch", "/tmp/here"])
        assert inside.run(["ls", "here"], cwd="/tmp").text == "here\n"
        assert inside.run(["cat"], stdin=b"in").stdout == b"in"
        with ThreadPoolExecutor(4) as pool:
            done = pool.map(lambda n: inside.run(["sh", "-c", f"sleep 0.1; echo {n}"]).text, range(4))
            assert list(done) == ["0\n", "1\n", "2\n", "3\n"]
        inside.run(["sh", "-c", "true & exit 0"])
        assert "Z" not in inside.run(["ps", "-eo", "stat"]).text  # orphans are reaped
    with pytest.raises(HoldfastError, match="left already"):
        inside.run(["true"])


def test_lines_are_streamed_in_the_callers_stage(place: Sandbox) -> None:
    seen: list[Event] = []
    with listen(seen.append), stage("Configuring"):
        stream(place, ["sh", "-c", "echo one; echo two >&2; printf three"])
    assert [event.text for event in seen if isinstance(event, OutputLine)] == ["one", "two", "three"]
    assert isinstance(seen[0], StageStarted)


def test_errors_name_the_root_and_the_command(place: Sandbox, base_layer: Path) -> None:
    with pytest.raises(ProcessError) as caught:
        run(place, ["sh", "-c", "echo evidence >&2; exit 3"])
    assert caught.value.returncode == 3
    for part in ("sh failed with exit code 3", "evidence", "sh -c 'echo evidence", str(base_layer)):
        assert part in str(caught.value)
    assert "nsenter" not in str(caught.value)
    for missing in (run, stream):
        with pytest.raises(HoldfastError, match=f"cannot run no-such-thing: .* in {base_layer}"):
            missing(place, ["no-such-thing"])


def test_what_is_left_running_is_killed(place: Sandbox) -> None:
    with enter(place) as inside:
        inside.run(["sh", "-c", "sleep 987.654 >/dev/null 2>&1 &"])
        assert _running("987.654")
    assert not _running("987.654")


def test_a_deadline_ends_the_command_and_its_children(place: Sandbox) -> None:
    started = time.monotonic()
    with enter(place) as inside:
        with pytest.raises(
            HoldfastError, match=r"^sh did not finish within 0\.3 seconds\n(.|\n)*root file system"
        ):
            inside.run(["sh", "-c", "sleep 765.432 & sleep 765.432"], timeout=0.3)
        _wait_until_gone("765.432")
        assert inside.run(["echo", "still here"]).text == "still here\n"
    assert time.monotonic() - started < 5


def test_a_killed_parent_leaves_nothing(base_layer: Path) -> None:
    mounts = Path("/proc/self/mountinfo").read_text()
    script = (
        "import os, signal; from pathlib import Path; from holdfast.sandbox import Bind, Root, Sandbox, Scratch, enter, overlay\n"
        f"place = Sandbox(Root((Path({str(base_layer)!r}),), Scratch()), binds={{'/usr': Bind(Path('/usr'))}})\n"
        "with enter(place) as inside:\n"
        "    inside.run(['sh', '-c', 'setsid sleep 876.543 >/dev/null 2>&1 &'])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert process.run([sys.executable, "-c", script], check=False).returncode == -9
    _wait_until_gone("876.543")
    assert Path("/proc/self/mountinfo").read_text() == mounts


def test_a_forked_child_does_not_keep_a_sandbox(base_layer: Path) -> None:
    script = (
        "import os, time; from pathlib import Path; from holdfast.sandbox import Bind, Root, Sandbox, Scratch, enter\n"
        f"place = Sandbox(Root((Path({str(base_layer)!r}),), Scratch()), binds={{'/usr': Bind(Path('/usr'))}})\n"
        "with enter(place) as inside:\n"
        "    child = os.fork()\n"
        "    if child == 0: time.sleep(20); os._exit(0)\n"
        "    started = time.monotonic()\n"
        "print(time.monotonic() - started < 5); os.kill(child, 9)\n"
    )
    assert process.run([sys.executable, "-c", script]).text == "True\n"


def test_a_root_that_lacks_mount_points_and_is_read_only_is_told(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match=f"prepare the root file system {tmp_path}"):
        run(Sandbox(Root((tmp_path,))), ["true"])


def _wait_until_gone(mark: str) -> None:
    """Wait for processes that were sent SIGKILL: the kernel ends them in its own time."""
    deadline = time.monotonic() + 5
    while _running(mark) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _running(mark)


def _running(mark: str) -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"sleep\0{mark}".encode() in entry.read_bytes():
                return True
        except OSError:
            continue
    return False
