from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import click
import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run, spawn
from holdfast.cli import table

pytestmark = pytest.mark.slow  # it starts programs or waits for them

HOLDFAST = Path(sys.executable).with_name("holdfast")


def replace_doctor(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `holdfast doctor` raise ``error``."""

    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(table.CommandTable, "get_command", lambda *_: click.Command("doctor", callback=fail))


def test_every_command_of_the_table_exists_and_says_what_its_summary_says() -> None:
    context = click.Context(table.command)
    for name in table.COMMANDS:
        command = table.command.get_command(context, name)
        assert command is not None
        assert command.help, name


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.run(["--help"]) == 0
    out = capsys.readouterr().out
    for name, entry in table.COMMANDS.items():
        assert f"  {name} " in out
        assert entry.summary.split()[0] in out


def test_no_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.run([]) == 2
    assert "Usage: holdfast" in capsys.readouterr().err


def test_an_unknown_command_suggests(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.run(["biuld"]) == 2
    assert "There is no command 'biuld'. Did you mean 'build'?" in capsys.readouterr().err


def test_an_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.run(["doctor", "--jsno"]) == 2
    assert "--json" in capsys.readouterr().err


def test_wrong_usage_looks_like_every_other_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.run(["explain", "web"]) == 2
    assert capsys.readouterr().err == (
        "error: Missing argument 'OPTION'.\n"
        "  Usage: holdfast explain [OPTIONS] SYSTEM OPTION\n"
        "next: `holdfast explain --help` lists what it takes.\n"
    )


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert table.run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("holdfast 0.")


def test_an_error_shows_all_its_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replace_doctor(monkeypatch, HoldfastError("it broke", details="line 1\nline 2", resolution="Mend it."))
    assert table.run(["doctor"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "error: it broke\n  line 1\n  line 2\nnext: Mend it.\n"
    assert captured.out == ""


def test_a_bug_is_told_as_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    replace_doctor(monkeypatch, ZeroDivisionError("division by zero"))
    assert table.run(["doctor"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("bug: ZeroDivisionError: division by zero at test_table.py:")
    assert "HOLDFAST_TRACEBACK=1" in err
    assert "Traceback" not in err


def test_the_traceback_is_there_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_TRACEBACK", "1")
    replace_doctor(monkeypatch, ZeroDivisionError("division by zero"))
    assert table.run(["doctor"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_interruption_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    replace_doctor(monkeypatch, KeyboardInterrupt())
    assert table.run(["doctor"]) == 130
    assert capsys.readouterr().err.strip().startswith("Interrupted.")


@pytest.mark.slow
def test_a_closed_pipe_is_no_failure_of_ours() -> None:
    """More than a pipe holds, read by nobody."""
    pipeline = f"{HOLDFAST} options | head -c 10 >/dev/null; echo ${{PIPESTATUS[0]}}"
    completed = run(["bash", "-c", pipeline])
    assert completed.text == "141\n"
    assert completed.stderr == b""


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("--version >&-", 0, ""),
        ("--version 2>&-", 0, "holdfast"),
        ("--version <&- >&- 2>&-", 0, ""),
        ("--version >/dev/full", 1, "error: cannot write what is to be told: No space left on device"),
        pytest.param(
            "options >/dev/full",
            1,
            "error: cannot write what is to be told: No space left on device",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_nowhere_to_write_to(words: str, code: int, told: str) -> None:
    completed = run(["bash", "-c", f"{HOLDFAST} {words}"], check=False)
    said = (completed.stdout + completed.stderr).decode()
    assert completed.returncode == code, said
    assert said.startswith(told) and "bug" not in said and "Exception" not in said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_real_command_cleanly(tmp_path: Path, number: signal.Signals, code: int) -> None:
    (tmp_path / "systems.py").write_text("import time\nopen('/proc/self/stat')\ntime.sleep(30)\n")
    log = tmp_path / "log"
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
    argv = ["sh", "-c", f'cd {tmp_path} && exec "$0" eval', str(HOLDFAST)]
    with spawn(argv, output=descriptor) as process:
        deadline = time.monotonic() + 10
        while not children(process.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert children(process.pid), "the evaluating child never started"
        process.send_signal(number)
        assert process.wait(10) == code, log.read_text()
    os.close(descriptor)
    assert "Traceback" not in log.read_text()


def children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert table.run(["completion", shell]) == 0
    assert "_HOLDFAST_COMPLETE" in capsys.readouterr().out


def test_the_shell_completes_commands() -> None:
    completed = run(
        [HOLDFAST],
        env={"_HOLDFAST_COMPLETE": "bash_complete", "COMP_WORDS": "holdfast ex", "COMP_CWORD": "1"},
    )
    assert completed.text == "plain,explain\n"
