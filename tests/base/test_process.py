from __future__ import annotations

import os
import shlex
import sys
import time
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, OutputLine, listen
from holdfast.base.process import ProcessError, attach, converse, run, spawn, stream

pytestmark = pytest.mark.slow  # it starts programs or waits for them


def sh(script: str) -> list[str]:
    return ["sh", "-c", script]


def test_a_program_that_ends_well_gives_what_it_printed() -> None:
    done = run(sh("printf out; printf err >&2"))
    assert (done.stdout, done.stderr, done.returncode, done.text) == (b"out", b"err", 0, "out")
    assert done.argv == ("sh", "-c", "printf out; printf err >&2")


def test_nothing_of_the_persons_environment_leaks_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    assert set(run(["env"], env={"MINE": "1"}).text.split()) >= {"MINE=1", "LANG=C.UTF-8", "TZ=UTC"}
    assert "SECRET" not in run(["env"]).text


def test_stdin_is_what_was_given_and_else_closed() -> None:
    assert run(["cat"], stdin=b"given").stdout == b"given"
    assert run(["cat"]).stdout == b""


def test_a_failure_names_code_output_and_a_command_to_paste() -> None:
    argv = sh("echo 'to stdout'; echo 'to stderr' >&2; exit 3")
    with pytest.raises(ProcessError) as caught:
        run(argv)
    assert caught.value.brief == "sh failed with exit code 3" and caught.value.returncode == 3
    assert "to stdout" in caught.value.details and "to stderr" in caught.value.details
    assert caught.value.details.splitlines()[-1] == f"The command was: {shlex.join(argv)}"
    assert run(argv, check=False).returncode == 3


def test_a_wrapped_command_is_named_as_it_was_meant() -> None:
    with pytest.raises(ProcessError, match="nginx failed") as caught:
        run(sh("exit 1"), shown=["nginx", "-t"])
    assert "The command was: nginx -t" in caught.value.details


@pytest.mark.parametrize(
    ("signal", "words"),
    [("KILL", r"SIGKILL \(out of memory\?\)"), ("TERM", "SIGTERM"), ("40", "SIG|signal 40")],
)
def test_a_death_by_signal_is_told_by_name(signal: str, words: str) -> None:
    with pytest.raises(ProcessError, match=f"sh was killed by ({words})") as caught:
        run(sh(f"kill -{signal} $$"))
    assert caught.value.returncode < 0


def test_only_the_last_lines_of_a_long_output_are_told() -> None:
    with pytest.raises(ProcessError) as caught:
        run(sh("seq 1 1000; exit 1"))
    assert caught.value.output.splitlines() == [str(number) for number in range(961, 1001)]


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(HoldfastError, match="the program 'no-such-program' is not installed") as caught:
        run(["no-such-program", "--flag"])
    assert "no-such-program --flag" in caught.value.details and "doctor" in caught.value.resolution


def test_a_directory_that_is_not_there_is_not_mistaken_for_the_program(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match=f"the directory {tmp_path}/absent is not there"):
        run(["true"], cwd=tmp_path / "absent")
    assert run(["pwd"], cwd=tmp_path).text.strip() == str(tmp_path)


def test_a_file_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(HoldfastError, match="Permission denied"):
        run([tmp_path / "data"])


def test_a_deadline_kills_the_program_and_its_children(tmp_path: Path) -> None:
    started = time.monotonic()
    with pytest.raises(HoldfastError, match=r"sh did not finish within 0\.2 seconds"):
        run(sh(f"sleep 60 & echo $! >{tmp_path}/pid; wait"), timeout=0.2)
    assert time.monotonic() - started < 10
    child = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 5
    while Path(f"/proc/{child}/stat").exists() and Path(f"/proc/{child}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stream_is_told_line_by_line_while_it_runs() -> None:
    events: list[Event] = []
    with listen(events.append):
        stream(sh("echo one; echo two >&2; printf 'three, without newline'"))
    assert events == [OutputLine("one"), OutputLine("two"), OutputLine("three, without newline")]
    with pytest.raises(ProcessError) as caught:
        stream(sh("seq 1 100; exit 7"))
    assert caught.value.returncode == 7 and caught.value.output.splitlines()[0] == "61"


def test_bytes_that_are_no_utf8_are_shown_and_not_fatal() -> None:
    events: list[Event] = []
    with listen(events.append):
        stream(sh(r"printf 'a\377b\n'"))
    assert events == [OutputLine("a�b")]
    assert run(sh(r"printf '\377'")).stdout == b"\xff"


def test_attach_uses_our_own_descriptors(capfd: pytest.CaptureFixture[str]) -> None:
    assert attach(sh("echo shown; exit 5")) == 5
    assert capfd.readouterr().out == "shown\n"


@pytest.mark.slow
def test_spawned_programs_end_with_the_body(tmp_path: Path) -> None:
    with spawn(["sleep", "60"]) as process:
        assert process.poll() is None
    assert process.returncode == -15
    with (
        (tmp_path / "log").open("wb") as log,
        spawn(
            sh("trap '' TERM; echo ready; while :; do sleep 0.05; done"), output=log.fileno(), kill_after=0.2
        ) as stubborn,
    ):
        while (tmp_path / "log").read_bytes() != b"ready\n":
            time.sleep(0.01)
    assert stubborn.returncode == -9
    with pytest.raises(ZeroDivisionError), spawn(["sleep", "60"]) as process:
        raise ZeroDivisionError
    assert process.returncode == -15


def test_descriptors_are_passed_only_when_asked() -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    script = f"import os; os.write({write}, b'x')"
    try:
        run([sys.executable, "-I", "-S", "-c", script], pass_fds=[write])
        assert os.read(read, 1) == b"x"
        with pytest.raises(ProcessError, match="failed with exit code 1"):
            run([sys.executable, "-I", "-S", "-c", script])
    finally:
        os.close(read)
        os.close(write)


def test_a_persons_umask_does_not_reach_what_programs_make() -> None:
    before = os.umask(0o077)
    try:
        assert run(["sh", "-c", "umask"]).text.strip() == "0022"
    finally:
        os.umask(before)


def test_a_conversation_goes_on_when_nobody_listens_to_stderr() -> None:
    """Else the program would wait for ever until somebody reads; whoever ends the conversation hears of it."""

    def gone(line: bytes) -> None:
        raise BrokenPipeError

    with converse(sh("yes | head -n 200000 >&2; echo done"), on_error_line=gone) as talk:
        assert talk.stdout.read() == b"done\n"
        with pytest.raises(BrokenPipeError):
            talk.finish()
