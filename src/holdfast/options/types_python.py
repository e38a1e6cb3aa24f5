"""Types that take Python values as they are: instances of a class, members of an enum, anything."""

from __future__ import annotations

from holdfast.options.types import Conflict, Mismatch, Type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum
    from typing import Any, TypeVar

    from holdfast.options.config import Engine
    from holdfast.options.definition import Recorded
    from holdfast.options.tree import Slot
    from holdfast.options.types import Schema, Values

    E = TypeVar("E", bound=Enum)
else:
    from holdfast.options.lean import TypeVar

R = TypeVar("R")


class InstanceOf(Type[R, R]):
    """Instances of a class; equal ones or an error."""

    def __init__(self, cls: type[R]) -> None:
        self.cls = cls
        self.words = f"an instance of {cls.__name__}"

    def read(self, value: object, definition: Recorded) -> R:
        if isinstance(value, self.cls):
            return value
        raise Mismatch(value, definition, expected=self.words, hint=f"Write {self.cls.__name__}(...).")

    def schema(self) -> Schema:
        return {"description": self.words}


def instance_of(cls: type[R]) -> Type[R, R]:
    """Instances of a class, best a frozen dataclass. ``either(instance_of(A), instance_of(B))`` is a tagged union."""
    return InstanceOf(cls)


def enum_of(cls: type[E]) -> Type[E, E]:
    """Members of an :class:`enum.Enum`."""
    return EnumOf(cls)


class EnumOf(InstanceOf[R]):
    """Members of an enum."""

    def __init__(self, cls: type[R]) -> None:
        super().__init__(cls)
        members: Mapping[str, Any] = getattr(cls, "__members__", {})
        self.members: tuple[Any, ...] = tuple(members.values())
        self.words = "one of " + ", ".join(str(member) for member in self.members)

    def schema(self) -> Schema:
        return {"enum": [member.value for member in self.members]}


class _Raw(Type[object, object]):
    words = "any value, defined once"

    def read(self, value: object, definition: Recorded) -> object:
        return value

    def merge(self, engine: Engine, slot: Slot, values: Values) -> object:
        if len(values) > 1:
            raise Conflict(values, why="do not merge: it takes one")
        return values[0][0]


RAW: Type[object, object] = _Raw()
