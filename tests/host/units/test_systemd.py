"""Talking to a manager: what is waited for, and what is not believed."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from jeepney import HeaderFields, Message, Parser, new_method_return, new_signal

from holdfast.base.bus import MANAGER, Bus
from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, listen
from holdfast.host import live
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.steps import ReloadManager, RunUnits, UnitJob
from holdfast.host.units import facts as manager_facts
from holdfast.host.units import jobs as unit_jobs
from holdfast.host.units import systemd
from holdfast.host.units.states import Relations, UnitState
from holdfast.host.units.systemd import Systemd, connect, connect_user
from holdfast.host.units.transitions import ManagerFacts
from tests.host.roots import blobs_of

pytestmark = pytest.mark.slow  # it starts programs or waits for them

Answer = Callable[[Message], tuple[str, tuple[object, ...]]]


def manager(answer: Answer, delay: float = 0.0, uid: int | None = None) -> Systemd:
    """A manager that answers each request with a signature and a body."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        parser = Parser()
        with theirs, suppress(OSError):  # nobody waits any more
            theirs.recv(1000)
            theirs.sendall(b"OK 0\r\n")
            while data := theirs.recv(65536):
                parser.add_data(data)
                while (message := parser.get_next_message()) is not None:
                    reply = new_method_return(message, *answer(message))
                    if message.header.fields.get(HeaderFields.member) == "Reload":
                        time.sleep(delay)
                    theirs.sendall(reply.serialise(serial=1))

    threading.Thread(target=serve, daemon=True).start()
    return Systemd(Bus(ours, whose="this machine" if uid is None else "user ann"), uid=uid)


def test_a_slow_reload_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_SLOW_SECONDS", 0.02)
    monkeypatch.setattr(systemd, "_RELOAD_SECONDS", 0.05)
    limit = [60_000_000]

    def answer(message: Message) -> tuple[str, tuple[object, ...]]:
        if message.header.fields.get(HeaderFields.member) == "Get":
            return "v", (("t", limit[0]),)
        return "", ()

    told: list[Event] = []
    with listen(told.append):
        manager(answer, 0.1).reload()
    assert "still reads its units" in str(told)
    limit[0] = 0
    with pytest.raises(HoldfastError, match="could not read its unit files anew") as caught:
        manager(answer, 0.1).reload()
    assert "DefaultTimeoutStartSec=" in (caught.value.resolution or "")


def test_the_manager_of_a_user_is_not_waited_for_as_long_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_USER_SECONDS", 0.05)

    def answer(message: Message) -> tuple[str, tuple[object, ...]]:
        name = message.header.fields.get(HeaderFields.member)
        endless = ("v", (("t", 2**64 - 1),))
        return endless if name == "Get" else ("o", ("/job/1",)) if name == "StartUnit" else ("", ())

    theirs = manager(answer, 5, uid=1000)
    started = time.monotonic()
    with pytest.raises(HoldfastError, match="of user ann"):
        theirs.do([UnitJob("a.target", "start", "")])
    with pytest.raises(HoldfastError, match="daemon-reload"):
        theirs.reload()
    assert time.monotonic() - started < 4


def test_relations_of_a_unit_that_cannot_be_loaded_are_none() -> None:
    assert manager(lambda _: ("s", ("no such unit",))).relations("a.service") == Relations()


def test_a_socket_of_another_user_is_no_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_USER_PRIVATE", f"{tmp_path}/{{0}}")
    uid = os.getuid() + 1
    assert connect_user("ann", uid) is None, "nothing is there"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{tmp_path}/{uid}")
        listening.listen(1)
        with pytest.raises(
            HoldfastError, match=f"belongs to the user with the number {os.getuid()}, not to ann"
        ):
            connect_user("ann", uid)


def test_no_way_to_systemd_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PRIVATE", "_SYSTEM_BUS"):
        monkeypatch.setattr(systemd, name, f"{tmp_path}/{name}")
    with pytest.raises(HoldfastError, match="cannot be asked or told anything") as caught:
        connect()
    assert "_PRIVATE" in str(caught.value.details) and "_SYSTEM_BUS" in str(caught.value.details)


def _served(path: Path, serve: Callable[[socket.socket], object]) -> None:
    """Somebody's program that listens at ``path``."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(1)

    def accept() -> None:
        with listening, suppress(OSError):
            connected, _ = listening.accept()
            with connected:
                serve(connected)

    threading.Thread(target=accept, daemon=True).start()


def _dripping(connected: socket.socket) -> None:
    """Sends a little now and then, so that no pause is a long one."""
    for _ in range(100):
        connected.sendall(b"x")
        time.sleep(0.02)


def _dripping_later(connected: socket.socket) -> None:
    connected.recv(1000)
    connected.sendall(b"OK 0\r\nl\2\0\1\xff\xff\xff\3\1\0\0\0\0\0\0\0")
    _dripping(connected)


def _announcing_much(connected: socket.socket) -> None:
    connected.recv(1000)
    connected.sendall(b"OK 0\r\nl\2\0\1\xff\xff\xff\x7f\1\0\0\0\0\0\0\0")
    connected.recv(1000)


@pytest.mark.parametrize("serve", [_dripping, _dripping_later, _announcing_much])
def test_a_users_program_cannot_keep_us(
    serve: Callable[[socket.socket], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "_USER_PRIVATE", f"{tmp_path}/{{0}}")
    monkeypatch.setattr(systemd, "_USER_SECONDS", 0.1)
    _served(tmp_path / str(os.getuid()), serve)
    started = time.monotonic()
    with pytest.raises(HoldfastError):
        manager = connect_user("ann", os.getuid())
        assert manager is not None
        manager.states()
    assert time.monotonic() - started < 1


def test_a_listener_that_accepts_nobody_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systemd, "_USER_PRIVATE", f"{tmp_path}/{{0}}")
    monkeypatch.setattr(systemd, "REPLY_SECONDS", 0.1)
    path = tmp_path / str(os.getuid())
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as first:
        listening.bind(str(path))
        listening.listen(0)
        first.connect(str(path))
        with pytest.raises(HoldfastError, match="does not accept connections"):
            connect_user("ann", os.getuid())


def _ending(signature: str, body: tuple[object, ...], sender: str = "") -> Message:
    signal = new_signal(MANAGER, "JobRemoved", signature, body)
    if sender:
        signal.header.fields[HeaderFields.sender] = sender
    return signal


def test_only_what_systemd_says_ends_a_job() -> None:
    ours, theirs = socket.socketpair()
    done, failed = (1, "/job/1", "a.service", "done"), (1, "/job/1", "a.service", "failed")
    signals = (_ending("uoss", done, ":1.66"), _ending("s", ("x",), ":1.1"), _ending("uoss", failed, ":1.1"))

    def serve() -> None:
        parser = Parser()
        with theirs, suppress(OSError):
            theirs.recv(1000)
            theirs.sendall(b"OK 0\r\n")
            while data := theirs.recv(65536):
                parser.add_data(data)
                while (message := parser.get_next_message()) is not None:
                    starts = message.header.fields.get(HeaderFields.member) == "StartUnit"
                    reply = new_method_return(message, *(("o", ("/job/1",)) if starts else ("", ())))
                    theirs.sendall(reply.serialise(serial=1))
                    for signal in signals if starts else ():
                        theirs.sendall(signal.serialise(serial=2))

    threading.Thread(target=serve, daemon=True).start()
    with pytest.raises(HoldfastError, match="could not do") as caught:
        Systemd(Bus(ours, whose="this machine"), sender=":1.1").do(
            [UnitJob("a.target", "start", "")], seconds=5
        )
    assert "a.target: failed" in str(caught.value.details)


def test_going_back_talks_to_systemd_anew_where_it_went_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"OK 0\r\n")
    left = Systemd(Bus(ours, whose="this machine"))
    theirs.close()
    asked: list[object] = []

    def answer(message: Message) -> tuple[str, tuple[object, ...]]:
        asked.append(message.header.fields.get(HeaderFields.member))
        return "", ()

    monkeypatch.setattr(live, "_systemd", lambda: manager(answer))
    with RootDirectory(tmp_path) as root:
        machine = live.Live(root, tmp_path, left, blobs_of())
        with pytest.raises(HoldfastError, match="went away"):
            unit_jobs.do(RunUnits((UnitJob("a.target", "start", ""),)), machine)
        unit_jobs.undo(ReloadManager("undo"), machine)
    assert asked[-1] == "Reload"


def test_nonsense_of_a_users_manager_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense(*_: object) -> Systemd:
        raise ValueError("embedded null byte")

    monkeypatch.setattr(unit_jobs, "connect_user", nonsense)
    monkeypatch.setattr(manager_facts, "connect_user", nonsense)
    told: list[Event] = []
    with RootDirectory(tmp_path) as root, listen(told.append):
        machine = live.Live(root, tmp_path, manager(lambda _: ("", ())), blobs_of())
        unit_jobs.undo(RunUnits(undo=(UnitJob("a.service", "stop", "", user="root"),)), machine)
        running = ManagerFacts({"user@0.service": UnitState("loaded", "active", "running")})
        assert not manager_facts.ask_users(running, ())
    assert str(told).count("embedded null byte") == 2
