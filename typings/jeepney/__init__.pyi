# The part of jeepney's interface that Holdfast uses; the library ships no types.
from enum import Enum

class HeaderFields(Enum):
    error_name = 4
    reply_serial = 5
    sender = 7
    signature = 8
    member = 3

class MessageType(Enum):
    method_call = 1
    method_return = 2
    error = 3
    signal = 4

class Header:
    message_type: MessageType
    fields: dict[HeaderFields, object]

class Message:
    header: Header
    body: tuple[object, ...]
    def serialise(self, serial: int | None = None) -> bytes: ...

class Parser:
    def __init__(self) -> None: ...
    def add_data(self, data: bytes) -> None: ...
    def get_next_message(self) -> Message | None: ...
    def bytes_desired(self) -> int: ...

class DBusAddress:
    def __init__(
        self, object_path: str, bus_name: str | None = None, interface: str | None = None
    ) -> None: ...

class Properties:
    def __init__(self, obj: DBusAddress) -> None: ...
    def get(self, name: str) -> Message: ...
    def get_all(self) -> Message: ...

def new_method_return(
    parent_msg: Message, signature: str | None = None, body: tuple[object, ...] = ()
) -> Message: ...
def new_signal(
    emitter: DBusAddress, signal: str, signature: str | None = None, body: tuple[object, ...] = ()
) -> Message: ...
def new_method_call(
    remote_obj: DBusAddress, method: str, signature: str | None = None, body: tuple[object, ...] = ()
) -> Message: ...
