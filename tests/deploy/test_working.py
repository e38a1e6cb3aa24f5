"""One command on one machine that says what it likes: whatever that is, it becomes a result of this machine."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Protocol

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.deploy import working
from holdfast.deploy.pushing import push
from holdfast.deploy.results import HostResult
from holdfast.deploy.ssh import SshSettings, SshTransport
from holdfast.deploy.working import Job, Surroundings, work
from holdfast.engine.archive import Engine
from holdfast.store import Layer, Store, open_store

pytestmark = pytest.mark.slow  # it starts programs or waits for them

FOUND = "sudo=root\nengine=yes"
ANSWER = json.dumps({"result": {"empty": False, "generation": 3}, "lines": ["Well."]}, indent=2)


class Machine(Protocol):
    def __call__(self, script: str, found: str = FOUND) -> Surroundings: ...


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """In place of ssh(1) a program: who looks first is told what is usual, and everybody else what ``script`` does."""

    def make(script: str, found: str = FOUND) -> Surroundings:
        (tmp_path / "found").write_text(f"{found}\n")
        text = f'#!/bin/sh\ncase $* in *dpkg-query*) cat {tmp_path}/found; exit;; *"-O exit"*) exit;; esac\n{script}\n'
        (tmp_path / "ssh").write_text(text)
        (tmp_path / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        return Surroundings(store(tmp_path), Engine(digest_bytes(b""), "1", tmp_path / "ssh", 1))

    return make


def store(place: Path) -> Store:
    return open_store(place / "store")


def ask(around: Surroundings, verb: str = "status", confirm: int | None = None) -> HostResult:
    return work(Job("bad", None, lambda: SshTransport("bad", SshSettings()), (verb,), None, confirm), around)


def saying(place: Path, out: str | bytes, err: str = "", code: int = 0) -> str:
    (place / "out").write_bytes(out if isinstance(out, bytes) else out.encode())
    (place / "err").write_text(err)
    return f"cat {place}/out; cat {place}/err >&2; exit {code}"


@pytest.mark.parametrize(
    "noise", ["", "Welcome to {web}!\n", "no end of line ", '{"a": 1}\n', "\x1b]0;{title\x07", "{{{\n"]
)
def test_what_a_shell_prints_when_it_starts_is_passed_over(
    machine: Machine, tmp_path: Path, noise: str
) -> None:
    found = ask(machine(saying(tmp_path, noise + ANSWER), noise + "\n" + FOUND))
    assert (found.state, found.generation, found.lines) == ("changed", 3, ("Well.",)), found


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "{" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000,
        '{"result": 1}',
        '{"lines": [], "result"',
        '{"result": 1, "lines": 5}',
        b"\xff\xfe",
        '{"result": NaN, "lines": []}',
        '{"result": -Infinity, "lines": []}',
        "null",
    ],
)
def test_an_answer_without_sense_is_a_failure(machine: Machine, tmp_path: Path, answer: str | bytes) -> None:
    found = ask(machine(saying(tmp_path, answer, err="[" * 100_000)))
    assert (found.state, found.code) == ("failed", 1), found
    assert "did not say what came of it" in found.brief


@pytest.mark.parametrize("code", [0, 7, 90, 256, 1 << 70, -1, True, "3", None, [], {}])
def test_no_failure_has_the_exit_code_of_success(machine: Machine, tmp_path: Path, code: object) -> None:
    said = json.dumps({"event": "failed", "brief": "no", "exit_code": code})
    found = ask(machine(saying(tmp_path, "", said, 1)))
    assert (found.state, found.code, found.brief) == ("failed", 1, "no")


def test_a_failure_keeps_its_exit_code_and_always_says_something(machine: Machine, tmp_path: Path) -> None:
    found = ask(machine(saying(tmp_path, "", json.dumps({"event": "failed", "exit_code": 3}), 3)))
    assert (found.state, found.code) == ("taken-back", 3)
    assert found.brief


def test_advice_is_for_whoever_is_not_there(machine: Machine, tmp_path: Path) -> None:
    advice = "`holdfast follow` shows it; `holdfast rollback 3` or --wait; `holdfast switch`; `systemctl status a`."
    said = json.dumps({"event": "failed", "brief": "busy", "resolution": advice, "exit_code": 6})
    found = ask(machine(saying(tmp_path, "", said, 6)))
    assert found.state == "busy"
    assert found.resolution == (
        "`holdfast follow --target-host bad` shows it; `holdfast rollback 3 --target-host bad` or --wait; "
        "`holdfast switch`; `systemctl status a`."
    )
    lost = ask(machine("case $* in *--json*) echo 'Connection closed\r' >&2; exit 255;; esac"))
    assert lost.state == "unreachable"
    assert lost.details == "Connection closed"
    assert lost.resolution.count("--target-host bad") == 1
    killed = ask(machine("exit 137"))
    assert killed.resolution == "`holdfast status --target-host bad` says how the machine is."


def test_a_flood_on_stderr_is_not_kept(machine: Machine) -> None:
    found = ask(machine("yes 0123456789 | head -n 12000 >&2; exit 1"))
    assert found.state == "failed"
    assert len(found.details) < 100_000


@pytest.mark.parametrize("said", ["sudo=root", "engine=yes", "{}", ""])
def test_who_is_no_machine_cannot_be_used(machine: Machine, said: str) -> None:
    assert ask(machine("exit 0", said)).state == "unreachable"


def test_a_defect_of_ours_stays_with_one_machine(machine: Machine) -> None:
    def connect() -> SshTransport:
        raise ZeroDivisionError

    found = work(Job("bad", None, connect, ("status",)), machine("exit 0"))
    assert (found.state, found.code) == ("failed", 1)
    assert "ZeroDivisionError" in found.brief

    def no_room() -> SshTransport:
        raise OSError(24, "Too many open files")

    found = work(Job("bad", None, no_room, ("status",)), machine("exit 0"))
    assert "cannot work on bad: Too many open files" in found.brief
    assert "ulimit" in found.resolution


def test_who_waits_to_confirm_stops_when_all_is_abandoned(machine: Machine, tmp_path: Path) -> None:
    answer = json.dumps({"result": {"confirm_until": 1}, "lines": []})
    tried = tmp_path / "tried"
    lost = f"case $* in *ControlMaster=no*) touch {tried}; echo timed out >&2; exit 255;; esac\n"
    around = machine(lost + saying(tmp_path, answer))
    results: list[HostResult] = []
    thread = threading.Thread(target=lambda: results.append(ask(around, "switch", confirm=600)), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not tried.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    around.connections.abandon()
    thread.join(5)
    assert [result.state for result in results] == ["unconfirmed"]
    began = time.monotonic()
    assert (
        ask(around).state == "unreachable" or time.monotonic() - began < 5
    )  # nor is anything begun any more


def test_a_machine_that_asks_for_what_it_was_not_offered(machine: Machine, tmp_path: Path) -> None:
    def pushed(missing: object, noise: str = "") -> int:
        answers = noise + json.dumps({"missing": missing}) + "\n" + json.dumps({"stored": 0}) + "\n"
        machine("read line; " + saying(tmp_path, answers))
        kept = store(tmp_path)
        layer = Layer(kept.blobs.put_bytes(b"content"), 7)
        artifact = kept.put_artifact("test", b"{}", "application/json", [layer])
        transport = SshTransport("bad", SshSettings())
        try:
            return push(transport, "true", kept, artifact, lambda event: None)
        finally:
            transport.close()

    assert pushed([]) > 0
    assert pushed([], "Welcome!\n{no}\n") > 0
    offers: list[object] = [5, None, {}, "all", ["sha256:" + "0" * 64], [[]], [None]]
    for missing in offers:
        with pytest.raises(HoldfastError, match="bad asks for something that it was not offered"):
            pushed(missing)


def test_what_is_confirmed_does_not_wait_any_more(machine: Machine, tmp_path: Path) -> None:
    """Nobody is told to confirm what was just confirmed over the new connection."""
    (tmp_path / "waits").write_text(
        json.dumps({"result": {"empty": False, "confirm_until": 1}, "lines": ["Done.", "Unless ..."]})
    )
    (tmp_path / "confirmed").write_text(json.dumps({"result": {"generation": 1}, "lines": ["Confirmed."]}))
    script = f"case $* in *ControlMaster=no*) cat {tmp_path}/confirmed;; *) cat {tmp_path}/waits;; esac"
    found = ask(machine(script), "switch", confirm=60)
    assert (found.state, found.lines) == ("changed", ("Done.", "Confirmed."))
    assert found.result == {"empty": False, "confirm_until": None}


@pytest.mark.parametrize(("generation", "state"), [(3, "changed"), (2, "unconfirmed")])
def test_a_lost_answer_to_confirm_is_asked_for(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generation: int, state: str
) -> None:
    """The connection may end after the machine has confirmed: then nothing waits there any more."""
    monkeypatch.setattr(working, "_PAUSE_SECONDS", 0.01)
    waits = {
        "result": {"empty": False, "confirm_until": 1, "generation": 3},
        "lines": ["Done.", "Unless ..."],
    }
    (tmp_path / "waits").write_text(json.dumps(waits))
    now: object = {"result": {"generation": generation, "unconfirmed": False}, "lines": []}
    (tmp_path / "now").write_text(json.dumps(now))
    none = {"event": "failed", "brief": "nothing waits to be confirmed", "exit_code": 1}
    (tmp_path / "none").write_text(json.dumps(none))
    script = f"""
    case $* in
    *ControlMaster=no*status*) cat {tmp_path}/now;;
    *ControlMaster=no*)
        if [ -e {tmp_path}/lost ]; then cat {tmp_path}/none >&2; exit 1; fi
        touch {tmp_path}/lost; echo closed >&2; exit 255;;
    *) cat {tmp_path}/waits;;
    esac"""
    assert ask(machine(script), "switch", confirm=60).state == state


def test_an_engine_that_cannot_be_installed_says_why(machine: Machine, tmp_path: Path) -> None:
    absent = FOUND.replace("engine=yes", "engine=no")
    told = json.dumps(
        {"event": "failed", "brief": "the disk is full", "resolution": "Free some.", "exit_code": 1}
    )
    events = json.dumps(
        {"event": "stage-ended", "stage": 1, "title": "x", "seconds": 1, "failed": True, "note": ""}
    )
    found = ask(machine(saying(tmp_path, "", f"{events}\n{told}", 1), absent))
    assert (found.state, found.brief, found.details) == ("failed", "the disk is full", "")
    found = ask(machine(saying(tmp_path, "", "mkdir: Read-only file system", 1), absent))
    assert "installing the engine on bad failed" in found.brief
    assert found.details == "mkdir: Read-only file system"
    assert "/var/lib/holdfast/engine" in found.resolution
