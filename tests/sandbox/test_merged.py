from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.sandbox import Bind, Root, Sandbox, Scratch, overlay, run

pytestmark = pytest.mark.system


def _mounts() -> str:
    return Path("/proc/thread-self/mountinfo").read_text()


def test_only_the_calling_thread_and_its_children_see_it(base_layer: Path) -> None:
    before, here = _mounts(), Path.cwd()
    with ThreadPoolExecutor(1) as old:
        old.submit(int).result()
        with overlay(Root((base_layer,), Scratch())) as merged:
            assert (merged / "etc/hello").read_text() == "from the base\n"
            assert process.run(["cat", merged / "etc/hello"]).text == "from the base\n"
            with ThreadPoolExecutor(1) as new:
                assert new.submit((merged / "etc").is_dir).result()
            assert not old.submit(merged.exists).result()
    assert _mounts() == before
    assert Path.cwd() == here
    assert not merged.exists()


def test_nesting_shows_both(base_layer: Path) -> None:
    with overlay(Root((base_layer,), Scratch())) as outer:
        (outer / "mark").touch()
        with overlay(Root((base_layer, outer / "etc"), Scratch())) as inner:
            assert (outer / "mark").exists()
            assert (inner / "hello").exists()
        assert (outer / "mark").exists()


def test_an_error_in_the_body_leaves_nothing(base_layer: Path) -> None:
    before = _mounts()
    with pytest.raises(ZeroDivisionError), overlay(Root((base_layer,), Scratch())):
        raise ZeroDivisionError
    assert _mounts() == before


def test_threads_do_not_disturb_each_other(base_layer: Path) -> None:
    barrier = threading.Barrier(4)

    def work(number: int) -> str:
        with overlay(Root((base_layer,), Scratch())) as merged:
            (merged / "number").write_text(str(number))
            barrier.wait(10)
            return (merged / "number").read_text()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == ["0", "1", "2", "3"]


def test_what_is_mounted_inside_a_mount_hides_none_of_it(base_layer: Path) -> None:
    with overlay(Root((base_layer,), Scratch())) as outer:
        (outer / "etc/new").touch()

        def work() -> bool:
            with overlay(Root((outer,), Scratch())) as inner:
                return (inner / "etc/new").exists()

        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(work).result()
        usr = {"/usr": Bind(Path("/usr"))}
        run(Sandbox(Root((outer,), Scratch()), binds=usr), ["test", "-e", "/etc/new"])
        run(
            Sandbox(Root((base_layer,), Scratch()), binds={**usr, "/mnt": Bind(outer)}),
            ["test", "-e", "/mnt/etc/new"],
        )


def test_a_killed_process_leaves_no_mount(base_layer: Path, tmp_path: Path) -> None:
    before = _mounts()
    script = (
        "import os, signal; from pathlib import Path; from holdfast.sandbox import Bind, Root, Sandbox, Scratch, enter, overlay\n"
        f"with overlay(Root((Path({str(base_layer)!r}),), Path({str(tmp_path / 'up')!r}))) as merged:\n"
        "    (merged / 'done').touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert process.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    assert (tmp_path / "up/done").exists()
    assert _mounts() == before


def test_a_person_without_rights_is_told(base_layer: Path) -> None:
    script = (
        "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "from pathlib import Path; from holdfast.sandbox import Bind, Root, Sandbox, Scratch, enter, overlay; from holdfast.base.errors import HoldfastError\n"
        "import tempfile; os.environ['XDG_RUNTIME_DIR'] = tempfile.mkdtemp()\n"
        "try:\n"
        "    with overlay(Root((Path('/usr'),))): print('entered')\n"
        "except HoldfastError as error: print(error)\n"
        "os.rmdir(os.environ['XDG_RUNTIME_DIR'] + '/holdfast-mount'); os.rmdir(os.environ['XDG_RUNTIME_DIR'])\n"
    )
    said = process.run(
        ["/usr/bin/python3", "-c", script],
        env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("src"))},
        check=False,
    )
    assert "needs root's rights" in said.text, said


def test_an_empty_root_is_refused() -> None:
    with pytest.raises(HoldfastError, match="at least one layer"), overlay(Root(())):
        pass
