from __future__ import annotations

import socket

from holdfast.machine.notify import Notifications


def test_what_nspawn_tells_is_taken_in() -> None:
    with Notifications() as told, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + told.address[1:])
        sender.send(b"STATUS=Container running.\nX_NSPAWN_LEADER_PID=5")
        told.look()
        assert (told.ready, told.status, told.leader) == (False, "Container running.", 5)
        sender.send(b"READY=1\nX_NSPAWN_LEADER_PID=nonsense\n\xff")
        told.look()
        assert (told.ready, told.leader) == (True, 5)


def test_a_sender_is_never_kept_waiting() -> None:
    with Notifications() as told, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.connect("\0" + told.address[1:])
        sender.settimeout(10)
        for number in range(2000):
            sender.send(b"STATUS=%d" % number)
        sender.send(b"")
        sender.send(b"READY=1")
        while not told.ready:
            told.look()
        assert told.status == "1999"
