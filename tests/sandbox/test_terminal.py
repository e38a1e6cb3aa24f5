from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

import pytest

from holdfast.base import process
from holdfast.sandbox import Sandbox

pytestmark = pytest.mark.system

_ENTER = """
import sys
from pathlib import Path
from holdfast.sandbox import Bind, Root, Sandbox, Scratch, attach
place = Sandbox(Root((Path(sys.argv[1]),), Scratch()), binds={"/usr": Bind(Path("/usr"))})
sys.exit(attach(place, sys.argv[2:] or ["bash", "--norc", "-i"]))
"""


def test_a_person_gets_a_shell_with_job_control(place: Sandbox, base_layer: Path) -> None:
    """The test plays the person: it types on a pseudoterminal and reads the screen."""
    pid, screen = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", _ENTER, str(base_layer)])
    typed = [
        (b"# ", b"tty; stty size\r"),
        (b"/dev/pts/0", b"sleep 300\r"),
        (b"sleep 300", b""),
        (b"", b"\x03"),
        (b"^C", b"echo status $?\r"),
        (b"status 130", b"exit 7\r"),
    ]
    seen = b""
    for expected, keys in typed:
        end = time.monotonic() + 10
        while expected not in seen:
            assert time.monotonic() < end and select.select([screen], [], [], 10)[0], seen.decode()
            seen += os.read(screen, 4096)
        time.sleep(0.2 if keys == b"\x03" else 0)  # a person is slower than a shell that starts a job
        os.write(screen, keys)
    while select.select([screen], [], [], 10)[0]:
        try:
            seen += os.read(screen, 4096)
        except OSError:
            break
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert b"no job control" not in seen
    os.close(screen)


def test_input_from_a_pipe_is_typed_and_ended(place: Sandbox, base_layer: Path) -> None:
    done = process.run(
        [sys.executable, "-c", _ENTER, base_layer], stdin=b"echo $((40+2))\nexit 3\n", check=False, timeout=20
    )
    assert done.returncode == 3
    assert "42" in done.text
    done = process.run(
        [sys.executable, "-c", _ENTER, base_layer], stdin=b"echo $((40+3))\n", check=False, timeout=20
    )
    assert done.returncode == 0 and "43" in done.text


def test_more_than_a_terminal_holds_passes_both_ways(place: Sandbox, base_layer: Path) -> None:
    """The terminal echoes it and tee prints it, so neither side may wait until the other has read."""
    typed = (b"x" * 70 + b"\n") * 3000
    line = [sys.executable, "-c", _ENTER, str(base_layer), "sh", "-c", "tee /dev/stderr | wc -c"]
    assert process.run(line, stdin=typed, timeout=60).text.split()[-1] == str(len(typed))
