from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jeepney import DBusAddress, Parser, new_method_return, new_signal

from holdfast.base import bus
from holdfast.base.bus import BusError, unit_at, unit_path
from holdfast.machine import Machine
from holdfast.machine.bus import SystemdBus
from tests.examples import at_most

ROOT = "/org/freedesktop/systemd1/unit/"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("nginx.service", "nginx_2eservice"),
        ("-.mount", "_2d_2emount"),
        ("getty@tty1.service", "getty_40tty1_2eservice"),
        ("1st.timer", "_31st_2etimer"),
        (r"dev-disk-by\x2dlabel-é.device", "dev_2ddisk_2dby_5cx2dlabel_2d_c3_a9_2edevice"),
    ],
)
def test_unit_names_become_object_paths(name: str, path: str) -> None:
    assert unit_path(name) == ROOT + path
    assert unit_at(ROOT + path) == name


@at_most(50)
@given(st.text(min_size=1, max_size=20))
def test_paths_are_legal_and_tell_names_apart(name: str) -> None:
    path = unit_path(name).removeprefix(ROOT)
    assert path.isascii() and all(letter.isalnum() or letter == "_" for letter in path)
    pieces = path.split("_")
    back = pieces[0].encode() + b"".join(
        bytes([int(piece[:2], 16)]) + piece[2:].encode() for piece in pieces[1:]
    )
    assert back.decode() == name


@pytest.mark.parametrize("answer", [b"REJECTED EXTERNAL\r\n", b""])
def test_a_peer_that_refuses_is_told(answer: bytes) -> None:
    ours, theirs = socket.socketpair()

    def refuse() -> None:
        theirs.recv(1000)
        theirs.sendall(answer)
        theirs.close()

    thread = threading.Thread(target=refuse)
    thread.start()
    with pytest.raises(BusError, match="systemd of web went away"):
        SystemdBus(ours, whose="web")
    thread.join()
    assert ours.fileno() == -1


MANAGER = DBusAddress("/org/freedesktop/systemd1", interface="org.freedesktop.systemd1.Manager")
CHANGE = new_signal(MANAGER, "UnitNew", "so", ("a.service", "/a")).serialise(serial=1)


def talk_to(peer: Callable[[socket.socket], None]) -> SystemdBus:
    """A connection to ``peer``, which is called after the client's first words and may fail once the client is gone."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        with theirs:
            try:
                theirs.recv(1000)
                peer(theirs)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return SystemdBus(ours, whose="web")


def test_a_signal_may_arrive_with_the_answer_to_the_greeting() -> None:
    def peer(theirs: socket.socket) -> None:
        theirs.sendall(b"OK 0\r\n" + CHANGE)
        theirs.recv(1)

    with talk_to(peer) as connection:
        assert connection.wait_for_signal(5)
        assert not connection.wait_for_signal(0.01)


@pytest.mark.slow
def test_who_sends_without_end_is_not_listened_to_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "REPLY_SECONDS", 0.2)

    def peer(theirs: socket.socket) -> None:
        theirs.sendall(b"OK 0\r\n")
        while True:
            theirs.sendall(CHANGE * 50)

    started = time.monotonic()
    with talk_to(peer) as connection:
        assert connection.wait_for_signal(0.2)
        with pytest.raises(BusError, match="did not answer"):
            connection.unit("a.service")
    assert time.monotonic() - started < 5

    def greet(theirs: socket.socket) -> None:
        while True:
            theirs.sendall(b"OK")

    with pytest.raises(BusError, match="went away"):
        talk_to(greet)


@pytest.mark.parametrize(
    ("signature", "body", "words"),
    [
        ("as", (["x"],), "another type"),
        ("a{sv}", ({"Id": ("s", "a.service")},), "does not tell ActiveState"),
        ("a{sv}", ({"Id": ("u", 3)},), "ActiveState, Description, Id, Job"),
    ],
)
def test_an_answer_that_is_none_is_told(signature: str, body: tuple[object, ...], words: str) -> None:
    def peer(theirs: socket.socket) -> None:
        theirs.sendall(b"OK 0\r\n")
        parser = Parser()
        while (asked := parser.get_next_message()) is None:
            parser.add_data(theirs.recv(1000))
        theirs.sendall(new_method_return(asked, signature, body).serialise(serial=1))

    with talk_to(peer) as connection, pytest.raises(BusError, match=words):
        connection.unit("a.service")


def test_what_is_no_message_is_told() -> None:
    def peer(theirs: socket.socket) -> None:
        theirs.sendall(b"OK 0\r\n" + b"?" * 100)
        theirs.recv(1000)

    with talk_to(peer) as connection, pytest.raises(BusError, match="no D-Bus message"):
        connection.unit("a.service")


@pytest.mark.system
def test_a_unit_that_does_not_exist_is_not_found(machine: Machine) -> None:
    unit = machine.unit("no-such.service")
    assert (unit.load_state, unit.active_state, unit.sub_state) == ("not-found", "inactive", "dead")
    with pytest.raises(BusError, match="shared says"):
        machine.unit("no unit name")


@pytest.mark.system
def test_states_are_those_systemctl_tells(machine: Machine) -> None:
    unit = machine.unit("nginx.service")
    shown = machine.unit_properties("nginx.service")
    assert (unit.description, unit.active_state) == (shown["Description"], shown["ActiveState"])
    names = [unit.name for unit in machine.units("running")]
    assert "nginx.service" in names and names == sorted(names)
