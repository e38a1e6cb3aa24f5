"""Types made of others: nothing or a value, one or the other, only once, converted, sets, any data."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.options.tree import UNSET
from holdfast.options.types import (
    Conflict,
    ListOf,
    Mismatch,
    Type,
    is_mapping,
    is_plain_sequence,
    is_plain_set,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, TypeVar

    from holdfast.options.config import Engine
    from holdfast.options.definition import Recorded
    from holdfast.options.tree import Slot
    from holdfast.options.types import Schema, Values
else:
    from holdfast.options.lean import TypeVar

R = TypeVar("R")
W = TypeVar("W")
R2 = TypeVar("R2")
W2 = TypeVar("W2")


class NullOr(Type["R | None", "W | None"]):
    """None, or a value of another type."""

    def __init__(self, item: Type[R, W]) -> None:
        self.item = item
        self.leaf = item.leaf
        self.words = f"none or {item.words}"

    def read(self, value: object, definition: Recorded) -> R | None:
        return None if value is None else self.item.read(value, definition)

    def merge(self, engine: Engine, slot: Slot, values: Values) -> R | None:
        some = [value for value in values if value[0] is not None]
        if not some:
            return None
        if len(some) != len(values):
            raise Conflict(values)
        if self.leaf:
            return self.item.merge(engine, slot, values)
        made: R = engine.merge_part(slot, "", self.item, values)
        return made

    def empty(self, engine: Engine, slot: Slot) -> object:
        return None

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "null"}, self.item.schema()]}


def null_or(item: Type[R, W]) -> Type[R | None, W | None]:
    """None or ``item``; None when nobody defines it. All definitions are None, or none is."""
    return NullOr(item)


class Either(Type["R | R2", "W | W2"]):
    """A value of the first type that takes all definitions."""

    def __init__(self, first: Type[R, W], second: Type[R2, W2]) -> None:
        self.first = first
        self.second = second
        self.leaf = first.leaf and second.leaf
        self.words = f"{first.words} or {second.words}"

    def read(self, value: object, definition: Recorded) -> R | R2:
        try:
            return self.first.read(value, definition)
        except Mismatch as first:
            try:
                return self.second.read(value, definition)
            except Mismatch as second:
                raise self._neither(first, second) from None

    def merge(self, engine: Engine, slot: Slot, values: Values) -> R | R2:
        made: R | R2
        try:
            made = engine.merge_part(slot, "", self.first, values)
        except Mismatch as first:
            try:
                made = engine.merge_part(slot, "", self.second, values)
            except Mismatch as second:
                if len(values) > 1:
                    raise self._mixed(engine, slot, values, first, second) from None
                raise self._neither(first, second) from None
        return made

    def _neither(self, first: Mismatch, second: Mismatch) -> Mismatch:
        return Mismatch(
            second.value, second.definition, expected=self.words, hint=second.hint or first.hint, at=second.at
        )

    def _mixed(
        self, engine: Engine, slot: Slot, values: Values, first: Mismatch, second: Mismatch
    ) -> Exception:
        for value in values:
            try:
                self.merge(engine, slot, [value])
            except Mismatch:
                return self._neither(first, second)
        return Conflict(values, why="are of different types")

    def schema(self) -> Schema:
        return {"anyOf": [self.first.schema(), self.second.schema()]}


def either(first: Type[R, W], second: Type[R2, W2]) -> Type[R | R2, W | W2]:
    """The first of two types that takes every definition; ``first | second`` says the same."""
    return Either(first, second)


class Unique(Type[R, W]):
    """At most one definition."""

    def __init__(self, item: Type[R, W], advice: str) -> None:
        self.item = item
        self.leaf = item.leaf
        self.words = f"{item.words} (defined once)"
        self._advice = advice

    def read(self, value: object, definition: Recorded) -> R:
        return self.item.read(value, definition)

    def merge(self, engine: Engine, slot: Slot, values: Values) -> R:
        if len(values) > 1:
            raise Conflict(values, why="are more than the one it takes", hint=self._advice)
        made: R = engine.merge_part(slot, "", self.item, values)
        return made

    def empty(self, engine: Engine, slot: Slot) -> object:
        return UNSET if self.item.structural else self.item.empty(engine, slot)

    def schema(self) -> Schema:
        return self.item.schema()


def unique(item: Type[R, W], *, advice: str = "") -> Type[R, W]:
    """Values of ``item``, of which there can only be one definition, even an equal one."""
    return Unique(item, advice)


class Coerced(Type[R, "W | W2"]):
    """Values of one type are converted to another."""

    def __init__(self, source: Type[Any, W2], convert: Callable[[Any], W], target: Type[R, W]) -> None:
        if not source.leaf:
            raise TypeError(
                "coerced() converts values that stand alone; its first type is a mapping or submodule"
            )
        self.source = source
        self.convert = convert
        self.target = target
        self.leaf = target.leaf
        self.words = f"{target.words} (or {source.words}, which is converted)"

    def _converted(self, value: object, definition: Recorded) -> object:
        try:
            plain = self.source.read(value, definition)
        except Mismatch:
            return value
        try:
            return self.convert(plain)
        except Exception as error:
            hint = f"Converting it failed: {type(error).__name__}: {error}"
            raise Mismatch(value, definition, expected=self.words, hint=hint) from error

    def read(self, value: object, definition: Recorded) -> R:
        converted = self._converted(value, definition)
        try:
            return self.target.read(converted, definition)
        except Mismatch as mismatch:
            raise Mismatch(
                value, definition, expected=self.words, hint=mismatch.hint, at=mismatch.at
            ) from None

    def merge(self, engine: Engine, slot: Slot, values: Values) -> R:
        converted = [(self._converted(*value), value[1]) for value in values]
        made: R = engine.merge_part(slot, "", self.target, converted)
        return made

    def empty(self, engine: Engine, slot: Slot) -> object:
        return UNSET if self.target.structural else self.target.empty(engine, slot)

    def schema(self) -> Schema:
        return self.target.schema()


def coerced(source: Type[R2, W2], convert: Callable[[R2], W], target: Type[R, W]) -> Type[R, W | W2]:
    """Take values of ``source`` too, and convert them to what ``target`` takes."""
    return Coerced(source, convert, target)


class SetOf(Type["frozenset[R]", "Collection[W]"]):
    """Definitions unite; order and repetition mean nothing."""

    def __init__(self, item: Type[R, W]) -> None:
        if not item.leaf:
            raise TypeError("set_of() is for values that stand alone")
        self._list: ListOf[R, Any] = ListOf(item)
        self.item = item
        self.words = self._list.words.replace("a list of", "a set of", 1)

    def read(self, value: object, definition: Recorded) -> frozenset[R]:
        items: object = tuple(value) if is_plain_set(value) else value
        try:
            return frozenset(self._list.read(items, definition))
        except Mismatch as mismatch:
            if not mismatch.at:
                mismatch.expected = self.words
            raise

    def merge(self, engine: Engine, slot: Slot, values: Values) -> frozenset[R]:
        made: frozenset[R] = self.read(*values[0])
        return made.union(*[self.read(*value) for value in values[1:]])

    def empty(self, engine: Engine, slot: Slot) -> object:
        none: frozenset[R] = frozenset()
        return none

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema(), "uniqueItems": True}


def set_of(item: Type[R, W]) -> Type[frozenset[R], Collection[W]]:
    """Sets of ``item``; definitions unite. Reads as a frozenset."""
    return SetOf(item)


class Tagged(Type["tuple[str, object]", "Mapping[str, object]"]):
    """Exactly one of some named alternatives."""

    leaf = False

    def __init__(self, alternatives: Mapping[str, Type[Any, Any]]) -> None:
        self.alternatives = alternatives
        self.words = "exactly one of " + ", ".join(
            f"{tag} ({one.words})" for tag, one in alternatives.items()
        )

    def merge(self, engine: Engine, slot: Slot, values: Values) -> tuple[str, object]:
        inner: Values = []
        tags: set[str] = set()
        for value, definition in values:
            if not is_mapping(value) or len(value) != 1 or next(iter(value)) not in self.alternatives:
                first = next(iter(self.alternatives))
                raise Mismatch(value, definition, expected=self.words, hint=f"Write {{{first!r}: value}}.")
            tag = str(next(iter(value)))
            tags.add(tag)
            inner.append((value[tag], definition))
        if len(tags) > 1:
            raise Conflict(values, why="choose different alternatives")
        tag = tags.pop()
        return tag, engine.merge_part(slot, tag, self.alternatives[tag], inner)

    def schema(self) -> Schema:
        return {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {tag: one.schema()},
                    "required": [tag],
                    "additionalProperties": False,
                }
                for tag, one in self.alternatives.items()
            ]
        }


def tagged(**alternatives: Type[Any, Any]) -> Type[tuple[str, object], Mapping[str, object]]:
    """A mapping with exactly one of these keys; reads as ``(tag, value)``. Typed sums: ``either(instance_of(A), ...)``."""
    return Tagged(alternatives)


class _Data(Type[object, object]):
    """Anything JSON can say: mappings unite deeply, lists concatenate, plain values are equal or an error."""

    words = "any data (strings, numbers, lists, mappings)"

    def read(self, value: object, definition: Recorded) -> object:
        if value is None or isinstance(value, (str, int, float, bool)):
            return value
        if is_plain_sequence(value):
            return tuple([self.read(one, definition) for one in value])
        if is_mapping(value):
            return {str(key): self.read(value[key], definition) for key in sorted(value, key=str)}
        raise Mismatch(value, definition, expected=self.words)

    def merge(self, engine: Engine, slot: Slot, values: Values) -> object:
        return self._unite([(self.read(*value), value[1]) for value in values])

    def _unite(self, values: Values) -> object:
        first = values[0][0]
        mappings = [(value, definition) for value, definition in values if is_mapping(value)]
        if len(mappings) == len(values):
            below: dict[str, Values] = {}
            for mapping, definition in mappings:
                for key, one in mapping.items():
                    below.setdefault(key, []).append((one, definition))
            return {key: self._unite(below[key]) for key in sorted(below)}
        lists = [value for value, _ in values if is_plain_sequence(value)]
        if len(lists) == len(values):
            return tuple([one for items in lists for one in items])
        if any([type(value) is not type(first) or value != first for value, _ in values[1:]]):
            raise Conflict(values)
        return first


DATA: Type[object, object] = _Data()
