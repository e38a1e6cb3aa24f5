"""Talking to a systemd over its private socket: D-Bus without a bus daemon, so it works from the first moment on.

The peer speaks the D-Bus protocol with EXTERNAL authentication, needs no Hello, and sends every signal to every such
connection (sd-bus; systemd's src/core/dbus.c). Messages and their parsing are jeepney's.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import cast

from jeepney import DBusAddress, HeaderFields, Message, MessageType, Parser, Properties, new_method_call
from jeepney.auth import BEGIN, make_auth_external

from holdfast.base.errors import HoldfastError
from holdfast.machine.results import Unit

_NAME = "org.freedesktop.systemd1"
_MANAGER = DBusAddress("/org/freedesktop/systemd1", bus_name=_NAME, interface=f"{_NAME}.Manager")
_REPLY_SECONDS = 30.0
_LONGEST_ANSWER = 4096


_UNIT = {
    "Id": "s",
    "Description": "s",
    "LoadState": "s",
    "ActiveState": "s",
    "SubState": "s",
    "Job": "(uo)",
}
"""Properties of a unit that are read, with their types."""


class BusError(HoldfastError):
    """systemd answered with an error, or went away."""


class SystemdBus:
    """A connection of one thread to one systemd. Use it in a ``with`` block."""

    def __init__(self, connected: socket.socket, *, whose: str) -> None:
        """Authenticate on ``connected``, which is closed with this object. ``whose`` names the system in errors.

        Raises:
            BusError: the other side refuses or goes away.
        """
        self._socket = connected
        self._whose = whose
        self._parser = Parser()
        self._serials = count(1)
        self._waiting_signals = 0
        connected.settimeout(_REPLY_SECONDS)
        try:
            # In one piece, as sd-bus does: a message that arrives together with BEGIN would wait there for the next one.
            connected.sendall(b"\0" + make_auth_external() + BEGIN)
            answer = b""
            while b"\r\n" not in answer and len(answer) < _LONGEST_ANSWER:
                answer += self._received()
            line, _, first_messages = answer.partition(b"\r\n")
            if not line.startswith(b"OK "):
                raise ConnectionRefusedError(line[:200].decode(errors="replace"))
            self._parser.add_data(first_messages)
        except OSError as error:
            connected.close()
            raise self._gone(error) from None

    def __enter__(self) -> SystemdBus:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def unit(self, name: str) -> Unit:
        """State of a unit, which is loaded if it is not in memory; ``load_state`` tells of one that does not exist.

        Raises:
            BusError: ``name`` is no unit name, or systemd went away.
        """
        # Its path is known, so LoadUnit, which wants to pin the unit for a client on a bus, is not asked.
        unit = DBusAddress(_unit_path(name), bus_name=_NAME, interface=f"{_NAME}.Unit")
        # All in one message, since states read one after the other may never have been true together.
        found = self._request(Properties(unit).get_all(), "a{sv}")[0]
        values = cast("Mapping[str, tuple[str, object]]", found)
        known = {key: value for key, (signature, value) in values.items() if _UNIT.get(key) == signature}
        if known.keys() != _UNIT.keys():
            missing = ", ".join(sorted(_UNIT.keys() - known.keys()))
            raise BusError(f"systemd of {self._whose} does not tell {missing} of {name}")
        return Unit(
            name=str(known["Id"]),
            description=str(known["Description"]),
            load_state=str(known["LoadState"]),
            active_state=str(known["ActiveState"]),
            sub_state=str(known["SubState"]),
            has_job=cast("tuple[int, str]", known["Job"])[0] != 0,
        )

    def units(self, *, states: Sequence[str] = ()) -> tuple[Unit, ...]:
        """Units in memory, by name; with ``states`` those that have one of them (active, load or sub state)."""
        asked = new_method_call(_MANAGER, "ListUnitsFiltered", "as", (list(states),))
        rows = cast("list[tuple[str, ...]]", self._request(asked, "a(ssssssouso)")[0])
        units = (Unit(row[0], row[1], row[2], row[3], row[4]) for row in rows)
        return tuple(sorted(units, key=lambda unit: unit.name))

    def manager(self, name: str) -> object:
        """A property of the manager, such as ``SystemState`` or ``NJobs``."""
        value = cast("tuple[tuple[str, object]]", self._request(Properties(_MANAGER).get(name), "v"))
        return value[0][1]

    def wait_for_signal(self, seconds: float) -> bool:
        """Wait until systemd announced a change since the last call (several count as one); False if it did not.

        Raises:
            BusError: systemd went away.
        """
        end = time.monotonic() + seconds
        while not self._waiting_signals:
            if self._receive(end - time.monotonic()) is None:
                return False
        while time.monotonic() < end and self._receive(0.0) is not None:
            pass
        self._waiting_signals = 0
        return True

    def start_scope(self, name: str, *, pid: int, slice_unit: str, description: str) -> None:
        """Put a process into a new scope that is ours to subdivide (systemd.scope(5), Delegate=yes).

        Raises:
            BusError: systemd refuses.
        """
        properties = [
            ("Description", ("s", description)),
            ("Slice", ("s", slice_unit)),
            ("Delegate", ("b", True)),
            ("PIDs", ("au", [pid])),
            ("CollectMode", ("s", "inactive-or-failed")),
        ]
        body: tuple[object, ...] = (name, "fail", properties, [])
        self._request(new_method_call(_MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", body), "o")
        end = time.monotonic() + _REPLY_SECONDS
        while self.unit(name).active_state != "active":
            if not self.wait_for_signal(max(0.0, end - time.monotonic())):
                raise BusError(f"the scope {name} did not start on {self._whose}")

    def _request(self, message: Message, signature: str) -> Sequence[object]:
        """The body of the answer, which has this signature. A container's systemd is not trusted to keep to its interface."""
        serial = next(self._serials)
        try:
            self._socket.sendall(message.serialise(serial=serial))
        except OSError as error:
            raise self._gone(error) from None
        end = time.monotonic() + _REPLY_SECONDS
        while True:
            answer = self._receive(end - time.monotonic())
            if answer is None:
                raise BusError(f"systemd of {self._whose} did not answer within {_REPLY_SECONDS:g} seconds")
            if answer.header.fields.get(HeaderFields.reply_serial) != serial:
                continue
            body = cast("Sequence[object]", answer.body)
            if answer.header.message_type is MessageType.error:
                reason = str(body[0]) if body else str(answer.header.fields.get(HeaderFields.error_name))
                raise BusError(f"systemd of {self._whose} says: {reason}")
            if answer.header.fields.get(HeaderFields.signature) != signature:
                raise BusError(f"systemd of {self._whose} gave an answer of another type than {signature}")
            return body

    def _receive(self, seconds: float) -> Message | None:
        """The next message, or None when none came in time, or when the time is negative. Signals are counted."""
        if seconds < 0:  # whoever sends without end is not listened to without end
            return None
        end = time.monotonic() + seconds
        while (message := self._next_message()) is None:
            # A timeout of 0 would mean non-blocking mode with another exception.
            self._socket.settimeout(max(0.0001, end - time.monotonic()))
            try:
                self._parser.add_data(self._received())
            except TimeoutError:
                return None
            except OSError as error:
                raise self._gone(error) from None
        if message.header.message_type is MessageType.signal:
            self._waiting_signals += 1
        return message

    def _next_message(self) -> Message | None:
        try:
            return self._parser.get_next_message()
        except Exception as error:  # whatever comes of taking any bytes for a message
            raise BusError(f"systemd of {self._whose} sent what is no D-Bus message: {error!r}") from None

    def _received(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the connection was closed")
        return data

    def _gone(self, error: Exception) -> BusError:
        return BusError(f"systemd of {self._whose} went away: {error}")


def _unit_path(name: str) -> str:
    """The object path of a unit: sd_bus_path_encode(3)."""

    def encode(index: int, byte: int) -> str:
        letter = chr(byte)
        plain = byte < 128 and (letter.isalpha() or (letter.isdigit() and index > 0))
        return letter if plain else f"_{byte:02x}"

    return "/org/freedesktop/systemd1/unit/" + "".join(
        encode(index, byte) for index, byte in enumerate(name.encode())
    )
