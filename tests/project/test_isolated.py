"""The child that runs user code, and everything it can die of."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

import pytest

from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError
from holdfast.project.isolated import call_isolated
from holdfast.project.isolation import Isolation


def test_the_value_comes_back() -> None:
    answer = call_isolated(lambda: {"a": [1, "ü", None]}, timeout=10, what="a test")
    assert answer.value == {"a": [1, "ü", None]}


def test_more_than_a_pipe_holds_comes_back() -> None:
    assert len(str(call_isolated(lambda: "x" * 3_000_000, timeout=10, what="a test").value)) == 3_000_000


def test_the_network_is_gone() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    socket.create_connection(("127.0.0.1", port)).close()

    def connect() -> JSON:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError as error:
            return type(error).__name__
        return "connected"

    answer = call_isolated(connect, timeout=10, what="a test")
    listener.close()
    assert answer.isolation is not Isolation.NONE
    assert answer.value != "connected"


def test_the_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_MINE", "x")
    names = call_isolated(lambda: " ".join(sorted(os.environ)), timeout=10, what="a test").value
    assert names == "LANG LC_ALL PATH TZ"


def test_prints_go_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    def chatty() -> JSON:
        sys.stdout.write("hello from the definition\n")
        os.write(1, b"and from below\n")
        return 1

    assert call_isolated(chatty, timeout=10, what="a test").value == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "hello from the definition" in err
    assert "and from below" in err


def test_stdin_is_closed() -> None:
    assert call_isolated(lambda: os.read(0, 10).decode(), timeout=10, what="a test").value == ""


def test_our_errors_keep_their_parts() -> None:
    def fail() -> JSON:
        raise HoldfastError("brief", details="details", resolution="resolution")

    with pytest.raises(HoldfastError) as caught:
        call_isolated(fail, timeout=10, what="a test")
    error = caught.value
    assert (error.brief, error.details, error.resolution) == ("brief", "details", "resolution")


def test_a_killed_child_is_told() -> None:
    def die() -> JSON:
        os.kill(os.getpid(), signal.SIGKILL)
        return 1

    with pytest.raises(HoldfastError, match="the process evaluating x was killed by SIGKILL") as caught:
        call_isolated(die, timeout=10, what="evaluating x")
    assert "memory" in caught.value.resolution


def test_an_exit_is_told() -> None:
    def leave() -> JSON:
        os._exit(7)

    with pytest.raises(HoldfastError, match="ended with exit code 7"):
        call_isolated(leave, timeout=10, what="evaluating x")


def test_a_crash_of_ours_shows_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    def crash() -> JSON:
        raise RuntimeError("unexpected")

    with pytest.raises(HoldfastError, match="ended with exit code 1"):
        call_isolated(crash, timeout=10, what="evaluating x")
    assert "RuntimeError: unexpected" in capfd.readouterr().err


@pytest.mark.slow
def test_an_endless_loop_is_told_with_its_line() -> None:
    def loop() -> JSON:
        while True:
            time.sleep(0.01)  # the line in the report

    with pytest.raises(HoldfastError, match=r"evaluating x did not finish within 0\.2 seconds") as caught:
        call_isolated(loop, timeout=0.2, what="evaluating x")
    assert "time.sleep(0.01)" in caught.value.details


@pytest.mark.slow
def test_a_loop_that_swallows_everything_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.project.isolated._GRACE_SECONDS", 0.2)

    def stubborn() -> JSON:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        time.sleep(30)
        return 1

    began = time.monotonic()
    with pytest.raises(HoldfastError, match="did not finish within"):
        call_isolated(stubborn, timeout=0.1, what="evaluating x")
    assert time.monotonic() - began < 5


def test_no_child_is_left_behind() -> None:
    answer = call_isolated(os.getpid, timeout=10, what="a test")
    child = answer.value
    assert isinstance(child, int)
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
