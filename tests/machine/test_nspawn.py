from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.base import process
from holdfast.base.digests import hex_of
from holdfast.base.errors import HoldfastError
from holdfast.machine import NotInTime, Settings, boot, boot_layers
from holdfast.sandbox import Bind
from holdfast.store import ImageConfig, open_store

pytestmark = [pytest.mark.system, pytest.mark.network]


def leftovers() -> dict[str, list[str]]:
    """What a leaking machine would leave on this one."""
    groups = Path("/sys/fs/cgroup").glob("**/holdfast-*")
    return {
        "mounts": [
            line for line in Path("/proc/self/mountinfo").read_text().splitlines() if "holdfast" in line
        ],
        "groups": [str(path) for path in groups if f"holdfast-{os.getpid()}-" in path.name],
        "nspawn": sorted(map(str, Path("/run/systemd/nspawn").glob("*/**/*"))),
        "threads": [thread.name for thread in threading.enumerate() if "holdfast" in thread.name],
    }


@contextmanager
def nothing_left() -> Generator[None]:
    before = leftovers()
    yield
    assert leftovers() == before


def test_it_starts_and_ends_cleanly(debian_root: Path) -> None:
    with nothing_left():
        with boot_layers((debian_root,), name="brief") as machine:
            machine.succeed("echo changed >/etc/motd")
            end = machine.shutdown()
            assert not end.forced
            assert machine.shutdown() == end
            assert "Power" in machine.console_log()
            with pytest.raises(HoldfastError, match="brief has stopped"):
                machine.succeed("true")
            with pytest.raises(HoldfastError, match="brief has stopped"):
                machine.wait_for_unit("nginx.service")
        assert "changed" not in (debian_root / "etc/motd").read_text()


def test_machines_run_side_by_side(debian_root: Path) -> None:
    with nothing_left(), boot_layers((debian_root,), name="one") as one:
        with boot_layers((debian_root,), name="one") as two:
            assert one.read_file("/etc/machine-id") != two.read_file("/etc/machine-id")
            one.write_file("/etc/mark", "one")
            two.fail("test -e /etc/mark")
            assert one.http_get("http://localhost/").status == two.http_get("http://localhost/").status == 200
        assert one.system_state() == "running"  # the end of one is not the end of the other


def test_the_machine_id_is_fresh_and_boot_is_not_first(debian_root: Path, tmp_path: Path) -> None:
    for number, content in enumerate((None, "", "uninitialized\n")):
        layer = tmp_path / str(number)
        (layer / "etc").mkdir(parents=True)
        if content is None:
            os.mknod(layer / "etc/machine-id", 0o020000, 0)  # an overlay's whiteout: the file is missing
        else:
            (layer / "etc/machine-id").write_text(content)
        with boot_layers((debian_root, layer), name="id") as machine:
            assert len(machine.read_file("/etc/machine-id").strip()) == 32
            assert machine.system_state() == "running"


def test_binds_and_a_kept_upper_directory(debian_root: Path, tmp_path: Path) -> None:
    shown = tmp_path / "with:colon"
    shown.mkdir()
    (shown / "file").write_text("seen")
    settings = Settings(name="kept", upper=tmp_path / "upper", binds={"/mnt/shown": Bind(shown)})
    for turn in range(2):
        with boot_layers((debian_root,), settings=settings) as machine:
            assert machine.read_file("/mnt/shown/file") == "seen"
            machine.fail("touch /mnt/shown/other")
            assert machine.execute("test -e /var/lib/mark").returncode == (1 if turn == 0 else 0)
            machine.write_file("/var/lib/mark", "")
    assert (tmp_path / "upper/var/lib/mark").exists()


def test_a_reboot_keeps_files_and_starts_afresh(debian_root: Path) -> None:
    with nothing_left(), boot_layers((debian_root,), name="again") as machine:
        machine.write_file("/var/lib/mark", "kept")
        machine.write_file("/run/mark", "gone")
        machine.reboot()
        assert machine.read_file("/var/lib/mark") == "kept"
        machine.fail("test -e /run/mark")
        assert machine.wait_for_unit("nginx.service").active_state == "active"
        assert machine.console_log().count("Welcome to") == 2
        machine.systemctl("--no-block", "reboot")
        deadline = time.monotonic() + 20
        with pytest.raises(HoldfastError, match="again has stopped"):
            while time.monotonic() < deadline:  # A command may yet begin, and be ended with the rest.
                machine.execute("true")


def test_an_end_that_does_not_come_is_forced(debian_root: Path) -> None:
    with nothing_left(), boot_layers((debian_root,), name="stubborn") as machine:
        machine.write_file(
            "/run/systemd/system/stubborn.service",
            "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sleep 300\nTimeoutStopSec=300\n",
        )
        machine.systemctl("daemon-reload")
        machine.systemctl("start", "stubborn.service")
        started = time.monotonic()
        assert machine.shutdown(timeout=0.5).forced
        assert time.monotonic() - started < 5


def test_a_system_that_does_not_come_up_shows_its_console(debian_root: Path, tmp_path: Path) -> None:
    units = tmp_path / "slow/etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(parents=True)
    (units / "slow.service").write_text("[Service]\nType=oneshot\nExecStart=sleep 300\n")
    (units / "multi-user.target.wants/slow.service").symlink_to("../slow.service")
    settings = Settings(name="slow", boot_seconds=3, shutdown_seconds=20)
    layers = (debian_root, tmp_path / "slow")
    with nothing_left(), pytest.raises(NotInTime) as caught, boot_layers(layers, settings=settings):
        pass
    assert "the start of slow after 3 seconds" in str(caught.value)
    assert "Reached target" in str(caught.value)


def test_a_root_without_an_init_is_told(tmp_path: Path) -> None:
    (tmp_path / "root/usr").mkdir(parents=True)
    with (
        nothing_left(),
        pytest.raises(HoldfastError) as caught,
        boot_layers((tmp_path / "root",), name="void"),
    ):
        pass
    assert "void ended while it started" in str(caught.value)
    assert "os-release" in str(caught.value) or "init" in str(caught.value)


def test_an_odd_name_is_refused() -> None:
    for name in ("", "-x", "a b", "x" * 70, "../x"):
        with pytest.raises(HoldfastError, match="no name for a machine"), boot_layers((), name=name):
            pass


def test_a_killed_parent_takes_all_with_it(debian_root: Path) -> None:
    script = (
        "import os, signal; from pathlib import Path; from holdfast.machine import boot_layers\n"
        f"with boot_layers((Path({str(debian_root)!r}),), name='orphan') as machine:\n"
        "    machine.succeed('setsid sleep 7654.321 >/dev/null 2>&1 &')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    before = leftovers()
    assert process.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    end = time.monotonic() + 10
    while _running("7654.321") or _running("--machine=orphan"):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert leftovers() == before


def test_an_interrupt_from_the_terminal_powers_off_in_order(debian_root: Path) -> None:
    script = (
        "import os, signal, threading; from pathlib import Path; from holdfast.machine import boot_layers\n"
        f"with boot_layers((Path({str(debian_root)!r}),), name='interrupted') as machine:\n"
        "    try:\n"
        "        threading.Timer(0.3, lambda: os.killpg(0, signal.SIGINT)).start()\n"
        "        machine.succeed('sleep 60')\n"
        "    except KeyboardInterrupt:\n"
        "        print(machine.system_state(), machine.shutdown().forced)\n"
    )
    with nothing_left():
        # A deadline puts it into a session, and so a process group, of its own.
        done = process.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.text == "running False\n", done


def test_an_artifact_of_the_store_boots_and_is_leased(debian_root: Path, tmp_path: Path) -> None:
    (tmp_path / "extra/etc").mkdir(parents=True)
    (tmp_path / "extra/etc/mark").write_text("from the store")
    first = open_store(tmp_path / "store")
    extra = first.layers.from_tree(tmp_path / "extra", clamp_mtime=0)
    base = first.layers.from_tree(debian_root, clamp_mtime=0)
    artifact = first.put_image(ImageConfig("amd64", 0), (base, extra))
    first.close()

    parts = {hex_of(artifact.manifest), hex_of(extra.diff_id)}

    def would_go() -> set[str]:
        collector = open_store(tmp_path / "store")
        try:
            return parts & {removed.name for removed in collector.gc(dry_run=True).removed}
        finally:
            collector.close()

    assert would_go() == parts
    store = open_store(tmp_path / "store")
    with boot(store, artifact, name="stored") as machine:
        assert machine.read_file("/etc/mark") == "from the store"
        assert would_go() == set()
    store.close()


def _running(mark: str) -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if mark.encode() in entry.read_bytes() and entry.parent.name != str(os.getpid()):
                return True
        except OSError:
            continue
    return False
