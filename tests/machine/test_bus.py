from __future__ import annotations

import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.machine import Machine
from holdfast.machine.bus import BusError, SystemdBus, _unit_path

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
    assert _unit_path(name) == ROOT + path


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=20))
def test_paths_are_legal_and_tell_names_apart(name: str) -> None:
    path = _unit_path(name).removeprefix(ROOT)
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
