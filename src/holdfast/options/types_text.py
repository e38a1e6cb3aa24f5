"""Types of text: choices, lines, paths, command lines, ports and other checked strings and numbers."""

from __future__ import annotations

import os

from holdfast.options.tree import UNSET
from holdfast.options.types import INT, STR, Conflict, Exact, ListOf, Mismatch, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    from holdfast.options.config import Engine
    from holdfast.options.definition import Recorded
    from holdfast.options.tree import Slot
    from holdfast.options.types import Schema, Values

    L = TypeVar("L", bound=str)


class Separated(Exact[str]):
    """Definitions are joined with a separator."""

    def __init__(self, separator: str) -> None:
        super().__init__(
            f"a string (definitions joined with {separator!r})",
            str,
            {"type": "string"},
            "Write it in quotes.",
        )
        self._separator = separator

    def merge(self, engine: Engine, slot: Slot, values: Values) -> str:
        return self._separator.join([self.read(*value) for value in values])


def separated(separator: str) -> Type[str, str]:
    """Strings; definitions are joined with ``separator``."""
    return Separated(separator)


class _Lines(Exact[str]):
    def __init__(self) -> None:
        super().__init__("lines of text", str, {"type": "string"}, "Write it in quotes.")

    def merge(self, engine: Engine, slot: Slot, values: Values) -> str:
        pieces = [self.read(*value) for value in values]
        joined = "".join(
            [piece if piece.endswith("\n") or not piece else f"{piece}\n" for piece in pieces[:-1]]
        )
        return joined + pieces[-1]


LINES: Type[str, str] = _Lines()


class OneOf(Type[str, str]):
    """One of some strings. Declared twice, the choices unite."""

    def __init__(self, choices: tuple[str, ...]) -> None:
        self.choices = choices
        self.words = "one of " + ", ".join(f'"{choice}"' for choice in choices)

    def read(self, value: object, definition: Recorded) -> str:
        if type(value) is str and value in self.choices:
            return value
        from holdfast.options.paths import suggest

        raise Mismatch(value, definition, expected=self.words, hint=suggest(str(value), self.choices))

    def schema(self) -> Schema:
        return {"enum": list(self.choices)}

    def unite(self, other: Type[Any, Any]) -> Type[Any, Any] | None:
        if type(other) is not OneOf:
            return None
        return OneOf(tuple(dict.fromkeys(self.choices + other.choices)))


def one_of(*choices: L) -> Type[L, L]:
    """One of these strings. Annotate to have checkers know them: ``m: Type[Literal["a"], Literal["a"]] = one_of("a")``."""
    made: Any = OneOf(choices)
    return made  # type: ignore[no-any-return]  # the literal types exist only for checkers


class Checked(Type["Any", "Any"]):
    """Values of another leaf type that also pass a test."""

    def __init__(
        self, base: Type[Any, Any], words: str, test: Callable[[Any], bool], schema: Schema, hint: str
    ) -> None:
        self.words = words
        self._base = base
        self._test = test
        self._schema = schema
        self._hint = hint

    def read(self, value: object, definition: Recorded) -> Any:
        try:
            made = self._base.read(value, definition)
        except Mismatch as mismatch:
            mismatch.expected = self.words
            mismatch.hint = self._hint
            raise
        if not self._test(made):
            raise Mismatch(value, definition, expected=self.words, hint=self._hint)
        return made

    def schema(self) -> Schema:
        return {**self._base.schema(), **self._schema}


def between(lowest: int, highest: int) -> Type[int, int]:
    """Integers from ``lowest`` to ``highest``, both included."""
    words = f"an integer from {lowest} to {highest}"
    schema = {"minimum": lowest, "maximum": highest}
    return Checked(INT, words, lambda number: lowest <= number <= highest, schema, "")


def matching(pattern: str, words: str, *, hint: str = "") -> Type[str, str]:
    """Strings that match a whole regular expression; ``words`` say it to people (``a host name``)."""

    def test(text: str) -> bool:
        import re  # costs as much as all else that is imported here

        return re.fullmatch(pattern, text) is not None

    return Checked(STR, words, test, {"pattern": f"^(?:{pattern})$"}, hint)


PORT: Type[int, int] = between(1, 65535)
UNSIGNED: Type[int, int] = Checked(
    INT, "an integer not below 0", lambda number: number >= 0, {"minimum": 0}, ""
)


def _absolute(path: str) -> bool:
    return path.startswith("/") and "\0" not in path


PATH: Type[str, str] = Checked(STR, "an absolute path", _absolute, {"pattern": "^/"}, "Start it with `/`.")
"""A path on the described system."""


class _LocalFile(Type[str, "str | os.PathLike[str]"]):
    words = "a file beside the definition, or an absolute path"

    def read(self, value: object, definition: Recorded) -> str:
        if not (type(value) is str or hasattr(value, "__fspath__")) or value == "":
            raise Mismatch(value, definition, expected=self.words, hint="Write the path in quotes.")
        path = str(value)
        beside = os.path.dirname(os.path.abspath(definition[4].co_filename))  # noqa: PTH120,PTH100 - pathlib is slow to import
        return os.path.normpath(os.path.join(beside, path))  # noqa: PTH118

    def schema(self) -> Schema:
        return {"type": "string"}


LOCAL_FILE: Type[str, str | os.PathLike[str]] = _LocalFile()
"""A file of the author's; relative paths start at the file that wrote them. Reads as an absolute path."""


class _Argv(ListOf[str, str]):
    """A command line: equal definitions or an error, never concatenated."""

    def __init__(self) -> None:
        super().__init__(STR)
        self.words = "a command line (program and arguments, as a list)"

    def read(self, value: object, definition: Recorded) -> tuple[str, ...]:
        made = super().read(value, definition)
        if not made or not made[0]:
            raise Mismatch(value, definition, expected=self.words, hint="Name at least the program.")
        return made

    def merge(self, engine: Engine, slot: Slot, values: Values) -> tuple[str, ...]:
        made = self.read(*values[0])
        if any([self.read(*value) != made for value in values[1:]]):
            raise Conflict(values, why="conflict: a command line is never concatenated")
        return made

    def empty(self, engine: Engine, slot: Slot) -> object:
        return UNSET


ARGV: Type[tuple[str, ...], Sequence[str]] = _Argv()
