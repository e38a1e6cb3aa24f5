"""Option types of the library: values of systemd and of file systems, checked where they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar, Union, cast

from holdfast.library.assembling.problems import sentence
from holdfast.library.network import check_interface, check_listen, parse_range
from holdfast.library.paths import check_path
from holdfast.library.rendering.command_lines import CommandLine, check_characters, render_command
from holdfast.library.rendering.tmpfiles import check_age
from holdfast.library.rendering.unit_names import check_unit_name
from holdfast.options.types import STR, ListOf, Mismatch, Type
from holdfast.options.types_text import ARGV, PORT, between

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from holdfast.options.config import Engine
    from holdfast.options.definition import Recorded
    from holdfast.options.tree import Slot

    Schema = dict[str, Any]  # JSON Schema: its values are any JSON
    Values = list[tuple[object, Recorded]]
    Scalar = Union[bool, int, str]
    Setting = Union[Scalar, Sequence[Scalar]]

R = TypeVar("R")
W = TypeVar("W")


class Checked(Type[str, str]):
    """A string with a check that returns it, or raises ValueError saying what to write instead."""

    def __init__(self, words: str, check: Callable[[str], object]) -> None:
        self.words = words
        self._check = check

    def read(self, value: object, definition: Recorded) -> str:
        if type(value) is not str:
            raise Mismatch(value, definition, expected=self.words, hint="Write it in quotes.")
        try:
            self._check(value)
        except ValueError as error:
            raise Mismatch(value, definition, expected=self.words, hint=sentence(str(error))) from None
        return value

    def schema(self) -> Schema:
        return {"type": "string"}


def _pattern(words: str, pattern: str, advice: str) -> Checked:
    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise ValueError(advice)

    return Checked(words, check)


_ACCOUNT = r"[a-z_][a-z0-9_-]{0,30}\$?"


def check_account(name: str) -> str:
    """``name`` when it can name a user or group (useradd(8)).

    Raises:
        ValueError: it cannot.
    """
    if not re.fullmatch(_ACCOUNT, name):
        raise ValueError(
            f"{name!r} is no account name: write up to 31 lower-case letters, digits, _ and -, a letter or _ first"
        )
    return name


ABSOLUTE_PATH = Checked("an absolute path", check_path)
UNIT_NAME = Checked("a unit name with its suffix", check_unit_name)
PORT_RANGE = Checked("a range of ports", parse_range)
INTERFACE = Checked("a network interface", check_interface)
AGE = Checked("an age of tmpfiles.d", check_age)
ADDRESS = Checked("an address to listen on", check_listen)
ACCOUNT = Checked("a user or group name", check_account)
MODE = _pattern("a file mode", r"[0-7]{4}", 'write four octal digits in quotes, such as "0644"')
TMPFILES_MODE = _pattern(
    "a file mode", r"[:~]{0,2}[0-7]{3,4}", 'write octal digits in quotes, such as "0755"'
)
HOSTNAME = _pattern(
    "a host name",
    # hostname(7): 64 characters, 63 between dots. Bounds inside the repetitions would take 4 ms to compile.
    r"(?=.{1,64}$)(?![^.]{64})[A-Za-z0-9](-*[A-Za-z0-9])*(\.[A-Za-z0-9](-*[A-Za-z0-9])*)*",
    "write letters, digits and -, in parts separated by dots, up to 64 characters",
)
LOCALE = _pattern(
    "a locale",
    r"C|POSIX|[A-Za-z]{1,3}(_[A-Z]{2})?(\.[A-Za-z0-9-]+)?(@[a-z]+)?",
    "write one such as C.UTF-8 or de_DE.UTF-8",
)
TIMEZONE = _pattern(
    "a time zone", r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}", "write one such as UTC or Europe/Berlin"
)
PASSWORD_HASH = _pattern(
    "a hashed password",
    r"[!*]|\$[^:\n]+|[A-Za-z0-9./]{13}",
    "write what `mkpasswd` prints, never the password itself",
)
PACKAGE = _pattern(
    "a package name",
    r"[a-z0-9][a-z0-9+.-]+(:[a-z0-9]+)?",
    "write the package's own name, such as nginx or libc6:i386; the lock decides its version",
)
ID: Type[int, int] = between(0, 4294967294)
_SPAN = r"infinity|[0-9]+(?:\.[0-9]+)?|(?:[0-9]+(?:\.[0-9]+)? ?[a-zA-Zµ]+ ?)+"


class _Span(Type[str, "Union[int, str]"]):
    """Seconds as an integer, or a time span of systemd.time(7)."""

    words = "a time span"

    def read(self, value: object, definition: Recorded) -> str:
        if type(value) is int and value >= 0:
            return str(value)
        if type(value) is str and re.fullmatch(_SPAN, value):
            return value
        hint = 'Write seconds as a number, or "5min", "1h 30min", "infinity".'
        raise Mismatch(value, definition, expected=self.words, hint=hint)

    def schema(self) -> Schema:
        return {"type": "string"}


SPAN: Type[str, Union[int, str]] = _Span()


class _Command(Type["Sequence[str]", "Sequence[str]"]):
    """A list of arguments, or a :class:`CommandLine`; two definitions must be equal, they never concatenate."""

    words = "a command (a list of arguments)"

    def read(self, value: object, definition: Recorded) -> Sequence[str]:
        if type(value) is str:
            words = ", ".join(f'"{word}"' for word in value.split())
            hint = f"Write it as a list: [{words}]; or as CommandLine({value!r}) for systemd's own syntax."
            raise Mismatch(value, definition, expected=self.words, hint=hint)
        command = value if isinstance(value, CommandLine) else ARGV.read(value, definition)
        try:
            render_command(command)
        except ValueError as error:
            raise Mismatch(value, definition, expected=self.words, hint=sentence(str(error))) from None
        return command

    def schema(self) -> Schema:
        return {"anyOf": [ARGV.schema(), {"type": "string"}]}


class _Program(Type["tuple[str, ...]", "Sequence[str]"]):
    """A list of arguments that is run as it is, without systemd or a shell; two definitions must be equal."""

    words = "a command (a list of arguments)"

    def read(self, value: object, definition: Recorded) -> tuple[str, ...]:
        if type(value) is str:
            words = ", ".join(f'"{word}"' for word in value.split())
            hint = f'Write it as a list: [{words}]; or for a shell: ["/bin/sh", "-ec", {value!r}].'
            raise Mismatch(value, definition, expected=self.words, hint=hint)
        command = ARGV.read(value, definition)
        try:
            if not re.fullmatch(r"/.*[^/]|[A-Za-z0-9_.][A-Za-z0-9_.+-]*", command[0], re.DOTALL):
                raise ValueError(
                    f"the program {command[0]!r} is neither an absolute path nor a bare file name"
                )
            for word in command:
                check_characters(word, "an argument")
        except ValueError as error:
            raise Mismatch(value, definition, expected=self.words, hint=sentence(str(error))) from None
        return command

    def schema(self) -> Schema:
        return dict(ARGV.schema())


class Distinct(ListOf[R, W]):
    """Definitions concatenate; of a repeated item only the first counts."""

    def merge(self, engine: Engine, slot: Slot, values: Values) -> tuple[R, ...]:
        return tuple(dict.fromkeys(super().merge(engine, slot, values)))


STRINGS = ListOf(STR)
WORDS = Distinct(STR)
ABSOLUTE_PATHS = Distinct(ABSOLUTE_PATH)
UNITS = Distinct(UNIT_NAME)
ACCOUNTS = Distinct(ACCOUNT)
PACKAGES = Distinct(PACKAGE)
INTERFACES = Distinct(INTERFACE)
PORTS = Distinct(PORT)
PORT_RANGES = Distinct(PORT_RANGE)
LISTEN = Distinct(ADDRESS)
COMMAND: Type[Sequence[str], Sequence[str]] = _Command()
COMMANDS = ListOf(COMMAND)
PROGRAM: Type[tuple[str, ...], Sequence[str]] = _Program()
PROGRAMS = ListOf(PROGRAM)


class _Scalar(Type["Scalar", "Scalar"]):
    words = "a string, an integer, true or false"

    def read(self, value: object, definition: Recorded) -> Scalar:
        if isinstance(value, (bool, int, str)):
            return value
        raise Mismatch(value, definition, expected=self.words)

    def schema(self) -> Schema:
        return {"type": ["string", "integer", "boolean"]}


SCALAR: Type[Scalar, Scalar] = _Scalar()


class _Setting(Type["Setting", "Setting"]):
    """The value of a freeform setting; lists concatenate, scalars must be equal."""

    words = "a setting (a string, an integer, true or false, or a list of these)"

    def read(self, value: object, definition: Recorded) -> Setting:
        if isinstance(value, (list, tuple)):
            return SCALARS.read(cast("object", value), definition)
        try:
            return SCALAR.read(value, definition)
        except Mismatch:
            raise Mismatch(value, definition, expected=self.words) from None

    def merge(self, engine: Engine, slot: Slot, values: Values) -> Setting:
        if all(isinstance(value, (list, tuple)) for value, _ in values):
            return SCALARS.merge(engine, slot, values)
        return super().merge(engine, slot, values)

    def schema(self) -> Schema:
        return {"anyOf": [SCALAR.schema(), SCALARS.schema()]}


SCALARS = ListOf(SCALAR)
SETTING: Type[Setting, Setting] = _Setting()
