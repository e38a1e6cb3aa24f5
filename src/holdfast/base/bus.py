"""Talking D-Bus to a systemd over its private socket: no bus daemon, so it works from the first moment on.

The peer speaks the D-Bus protocol with EXTERNAL authentication, needs no Hello, and sends every signal to every such
connection (sd-bus; systemd's src/core/dbus.c). Messages and their parsing are jeepney's.
"""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Callable, Sequence
from itertools import count
from types import TracebackType
from typing import TypeVar, cast

from jeepney import DBusAddress, HeaderFields, Message, MessageType, Parser
from jeepney.auth import BEGIN, make_auth_external

from holdfast.base.errors import HoldfastError

SYSTEMD = "org.freedesktop.systemd1"
MANAGER = DBusAddress("/org/freedesktop/systemd1", bus_name=SYSTEMD, interface=f"{SYSTEMD}.Manager")
REPLY_SECONDS = 30.0
_LONGEST_ANSWER = 4096
_LONGEST_MESSAGE = 1 << 26
"""Bytes. The list of ten thousand units takes a twentieth of it; the protocol allows twice as much."""
_MOST_SIGNALS = 100_000
"""Kept until somebody asks for them."""

_Self = TypeVar("_Self", bound="Bus")


class BusError(HoldfastError):
    """systemd answered with an error, or went away. ``name`` is the D-Bus error name, if it sent one."""

    name = ""


class Bus:
    """A connection of one thread to one systemd. Use it in a ``with`` block."""

    def __init__(self, connected: socket.socket, *, whose: str, seconds: float = math.inf) -> None:
        """Authenticate on ``connected``, which is closed with this object. ``whose`` names the system in errors.

        ``seconds``: how long the whole conversation may take.

        Raises:
            BusError: the other side refuses or goes away.
        """
        self._socket = connected
        self.whose = whose
        self._parser = Parser()
        self._serials = count(1)
        self._signals: list[Message] = []
        self.gone = False
        """The other side went away: nothing more can be asked over this connection."""
        self.until = time.monotonic() + seconds
        """By time.monotonic(): after that nothing is answered any more."""
        end = time.monotonic() + min(seconds, REPLY_SECONDS)
        connected.settimeout(REPLY_SECONDS)
        try:
            # In one piece, as sd-bus does: a message that arrives together with BEGIN would wait there for the next one.
            connected.sendall(b"\0" + make_auth_external() + BEGIN)
            answer = b""
            while b"\r\n" not in answer and len(answer) < _LONGEST_ANSWER:
                connected.settimeout(max(0.0001, end - time.monotonic()))
                answer += self._received()
                if time.monotonic() > end:
                    raise TimeoutError("it takes too long to say who it is")
            line, _, first_messages = answer.partition(b"\r\n")
            if not line.startswith(b"OK "):
                raise ConnectionRefusedError(line[:200].decode(errors="replace"))
            self._parser.add_data(first_messages)
        except OSError as error:
            connected.close()
            raise self._gone(error) from None

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def wait_for_signals(self, seconds: float) -> list[Message]:
        """Signals that came since the last call; waits for one if there is none. Empty when none came in time.

        Raises:
            BusError: systemd went away.
        """
        end = time.monotonic() + seconds
        while not self._signals:
            if self._receive(end - time.monotonic()) is None:
                return []
        while time.monotonic() < end and self._receive(0.0) is not None:
            pass
        arrived, self._signals = self._signals, []
        return arrived

    def close(self) -> None:
        self._socket.close()

    def request(
        self,
        message: Message,
        signature: str,
        *,
        seconds: float | None = None,
        slow: tuple[float, Callable[[], None]] | None = None,
    ) -> Sequence[object]:
        """The body of the answer, which has this signature. A container's systemd is not trusted to keep to its interface.

        ``slow``: what to call once when there is no answer after so many seconds.

        Raises:
            BusError: an error, an answer of another type, none within ``seconds``, or systemd went away.
        """
        seconds = REPLY_SECONDS if seconds is None else seconds
        serial = next(self._serials)
        seconds = min(seconds, self.until - time.monotonic())
        try:
            self._socket.settimeout(max(0.0001, seconds))
            self._socket.sendall(message.serialise(serial=serial))
        except OSError as error:
            raise self._gone(error) from None
        began = time.monotonic()
        end = began + seconds
        while True:
            pause = began + slow[0] if slow else end
            answer = self._receive(min(end, pause) - time.monotonic())
            if answer is None and slow and time.monotonic() < end:
                slow[1]()
                slow = None
                continue
            if answer is None:
                within = f"within {seconds:.3g} seconds" if seconds > 0 else "in the time that it has"
                raise BusError(f"systemd of {self.whose} did not answer {within}")
            if answer.header.fields.get(HeaderFields.reply_serial) != serial:
                continue
            body = cast("Sequence[object]", answer.body)
            if answer.header.message_type is MessageType.error:
                name = str(answer.header.fields.get(HeaderFields.error_name))
                refusal = BusError(f"systemd of {self.whose} says: {body[0] if body else name}")
                refusal.name = name
                raise refusal
            if answer.header.fields.get(HeaderFields.signature, "") != signature:
                raise BusError(f"systemd of {self.whose} gave an answer of another type than {signature}")
            return body

    def _receive(self, seconds: float) -> Message | None:
        """The next message, or None when none came in time, or when the time is negative. Signals are counted."""
        if seconds < 0:  # whoever sends without end is not listened to without end
            return None
        end = min(time.monotonic() + seconds, self.until)
        received = False
        while (message := self._next_message()) is None:
            if received and time.monotonic() > end:  # nor to whoever sends it byte by byte
                return None
            received = True
            # A timeout of 0 would mean non-blocking mode with another exception.
            self._socket.settimeout(max(0.0001, end - time.monotonic()))
            try:
                self._parser.add_data(self._received())
            except TimeoutError:
                return None
            except OSError as error:
                raise self._gone(error) from None
        if message.header.message_type is MessageType.signal:
            if len(self._signals) >= _MOST_SIGNALS:
                raise BusError(f"systemd of {self.whose} sends signals without end")
            self._signals.append(message)
        return message

    def _next_message(self) -> Message | None:
        try:
            message = self._parser.get_next_message()
            if message is None and self._parser.bytes_desired() > _LONGEST_MESSAGE:
                raise ValueError("it is too long")
            return message
        except Exception as error:  # whatever comes of taking any bytes for a message
            raise BusError(f"systemd of {self.whose} sent what is no D-Bus message: {error!r}") from None

    def _received(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the connection was closed")
        return data

    def _gone(self, error: Exception) -> BusError:
        self.gone = True
        return BusError(f"systemd of {self.whose} went away: {error}")


def unit_path(name: str) -> str:
    """The object path of a unit: sd_bus_path_encode(3)."""

    def encode(index: int, byte: int) -> str:
        letter = chr(byte)
        plain = byte < 128 and (letter.isalpha() or (letter.isdigit() and index > 0))
        return letter if plain else f"_{byte:02x}"

    return "/org/freedesktop/systemd1/unit/" + "".join(
        encode(index, byte) for index, byte in enumerate(name.encode())
    )


def unit_at(path: str) -> str:
    """The unit whose object path this is: what :func:`unit_path` does, turned back."""
    last = path.rpartition("/")[2].encode()
    return re.sub(rb"_([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), last).decode(errors="replace")
