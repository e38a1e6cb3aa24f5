"""Option types: each says in words what it takes, checks values, and owns how definitions merge."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from holdfast.options.definition import Def
from holdfast.options.tree import UNSET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Generic, TypeGuard, TypeVar

    from holdfast.options.attrs import Attrs
    from holdfast.options.config import Engine
    from holdfast.options.declare import OptionSet
    from holdfast.options.definition import Recorded
    from holdfast.options.tree import Slot

    Values = list[tuple[object, Recorded]]
    Schema = dict[str, Any]  # JSON Schema: its values are any JSON
else:
    from holdfast.options.lean import Generic, TypeVar


R = TypeVar("R")
W = TypeVar("W")
R2 = TypeVar("R2")
W2 = TypeVar("W2")
S = TypeVar("S", bound="OptionSet")


def is_mapping(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Tell a mapping, whatever it maps."""
    return isinstance(value, Mapping)


def is_plain_sequence(value: object) -> TypeGuard[tuple[Any, ...]]:
    """Tell a tuple or list, whatever is in it."""
    return isinstance(value, (tuple, list))


def is_plain_set(value: object) -> TypeGuard[frozenset[Any]]:
    """Tell a set, whatever is in it."""
    return isinstance(value, (frozenset, set))


class Mismatch(Exception):
    """A value is not of the type. The engine tells it with the option's path and the definition's place."""

    def __init__(
        self, value: object, definition: Recorded, *, expected: str, hint: str = "", at: str = ""
    ) -> None:
        super().__init__(expected)
        self.value = value
        self.definition = definition
        self.expected = expected
        self.hint = hint
        self.at = at


class Conflict(Exception):
    """Definitions that cannot all hold. ``why`` completes "... has definitions that ..."."""

    def __init__(self, values: Values, *, why: str = "conflict", hint: str = "") -> None:
        super().__init__(why)
        self.values = values
        self.why = why
        self.hint = hint


class Type(Generic[R, W]):
    """What an option takes and how its definitions merge.

    ``leaf`` types read each value by itself (:meth:`read`); the others need the place they are at (:meth:`merge`).
    Both parameters are invariant on purpose: else a checker could narrow what an option takes to its default.
    ``exact`` is the class whose instances need no further look, if there is one.
    """

    words = "a value"
    leaf = True
    structural = False
    exact: type | None = None

    def read(self, value: object, definition: Recorded) -> R:
        """Check one value and give what readers see. Raises :class:`Mismatch`."""
        raise NotImplementedError

    def merge(self, engine: Engine, slot: Slot, values: Values) -> R:
        """Check and merge one or more definitions; equal ones or an error unless a type says otherwise."""
        read = self.read
        result = read(*values[0])
        for value, definition in values[1:]:
            if read(value, definition) != result:
                raise Conflict(values)
        return result

    def empty(self, engine: Engine, slot: Slot) -> object:
        """Value without any definition, or UNSET."""
        return UNSET

    def element(self) -> Type[Any, Any]:
        """Type of the entries of a mapping or the items of a list."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """JSON Schema of the merged value."""
        return {}

    def unite(self, other: Type[Any, Any]) -> Type[Any, Any] | None:
        """Type of an option that is declared twice, or None if the two do not go together."""
        return None

    def __or__(self, other: Type[R2, W2]) -> Type[R | R2, W | W2]:
        """Either type: the first one that takes every definition."""
        from holdfast.options.types_combine import Either

        return Either(self, other)

    def __repr__(self) -> str:
        return f"<type {self.words}>"


class Exact(Type[R, R]):
    """Instances of one built-in class."""

    def __init__(self, words: str, cls: type[R], schema: Schema, hint: str = "") -> None:
        self.words = words
        self.exact = cls
        self._schema = schema
        self._hint = hint

    def read(self, value: object, definition: Recorded) -> R:
        if type(value) is self.exact:
            return value  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # exact is type[R]
        raise Mismatch(value, definition, expected=self.words, hint=self._hint)

    def schema(self) -> Schema:
        return dict(self._schema)


class _Bool(Exact[bool]):
    def __init__(self) -> None:
        super().__init__("true or false", bool, {"type": "boolean"}, "Write True or False.")


class _BoolOr(_Bool):
    """True as soon as one definition is true."""

    def __init__(self) -> None:
        super().__init__()
        self.words = "true or false (true wins)"

    def merge(self, engine: Engine, slot: Slot, values: Values) -> bool:
        return any([self.read(*value) for value in values])


BOOL: Type[bool, bool] = _Bool()
BOOL_OR: Type[bool, bool] = _BoolOr()
INT: Type[int, int] = Exact("an integer", int, {"type": "integer"}, "Write the number without quotes.")
STR: Type[str, str] = Exact("a string", str, {"type": "string"}, "Write it in quotes.")


class ListOf(Type["tuple[R, ...]", "Sequence[W]"]):
    """Definitions concatenate."""

    def __init__(self, item: Type[R, W]) -> None:
        self.item = item
        self.leaf = item.leaf
        self.words = f"a list of {plural(item.words)}"

    def read(self, value: object, definition: Recorded) -> tuple[R, ...]:
        items = self.items(value, definition)
        read = self.item.read
        made: list[R] = []
        for index, one in enumerate(items):
            try:
                made.append(read(one, definition))
            except Mismatch as mismatch:
                mismatch.at = f"item {index + 1}" + (f", {mismatch.at}" if mismatch.at else "")
                raise
        return tuple(made)

    def items(self, value: object, definition: Recorded) -> Sequence[Any]:
        """Refuse what only looks like a list: a string is a sequence of strings."""
        if is_plain_sequence(value):
            return value
        if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__"):
            raise Mismatch(value, definition, expected=self.words, hint=f"Write it as a list: [{value!r}].")
        if is_mapping(value) or not hasattr(value, "__getitem__"):
            raise Mismatch(value, definition, expected=self.words, hint="Wrap it: tuple(...).")
        sequence: Any = value
        return tuple(sequence)

    def merge(self, engine: Engine, slot: Slot, values: Values) -> tuple[R, ...]:
        if self.leaf:
            joined: list[Any] = []
            exact = self.item.exact
            for value, definition in values:
                if exact is not None and is_plain_sequence(value):
                    for one in value:
                        if type(one) is not exact:
                            break
                    else:
                        joined += value
                        continue
                joined += self.read(value, definition)
            return tuple(joined)
        made: list[R] = []
        for value, definition in values:
            for one in self.items(value, definition):
                made.append(engine.merge_part(slot, str(len(made)), self.item, [(one, definition)]))
        return tuple(made)

    def empty(self, engine: Engine, slot: Slot) -> object:
        return ()

    def element(self) -> Type[Any, Any]:
        return self.item

    def schema(self) -> Schema:
        return {"type": "array", "items": self.item.schema()}

    def unite(self, other: Type[Any, Any]) -> Type[Any, Any] | None:
        if type(other) is not ListOf:
            return None
        item: Type[Any, Any] | None = self.item.unite(other.element())
        return None if item is None else ListOf(item)


def list_of(item: Type[R, W]) -> Type[tuple[R, ...], Sequence[W]]:
    """Sequences of ``item``; definitions concatenate. Reads as a tuple."""
    return ListOf(item)


class AttrsOf(Type["Attrs[R, W]", "Mapping[str, W | Def[W]]"]):
    """Definitions unite key by key; each key's definitions merge by the type of the entries."""

    leaf = False
    structural = True

    def __init__(self, item: Type[R, W]) -> None:
        self.item = item
        self.words = f"a mapping from strings to {plural(item.words)}"

    def merge(self, engine: Engine, slot: Slot, values: Values) -> Attrs[R, W]:
        whole: list[tuple[str, Recorded]] = []
        for value, definition in values:
            if not is_mapping(value):
                raise Mismatch(value, definition, expected=self.words, hint="Write it as {key: value}.")
            _, _, _, _, code, offset = definition
            for key, one in value.items():
                if type(key) is not str:
                    raise Mismatch(
                        key, definition, expected="a string", at="key", hint=f"Write {str(key)!r}."
                    )
                if type(one) is Def:
                    priority = 100 if one.priority is None else one.priority
                    position = 1000 if one.order is None else one.order
                    whole.append((key, (one.value, None, priority, position, code, offset)))
                else:
                    whole.append((key, (one, None, 100, 1000, code, offset)))
        return engine.attrs(slot, whole)

    def empty(self, engine: Engine, slot: Slot) -> object:
        return engine.attrs(slot, [])

    def element(self) -> Type[Any, Any]:
        return self.item

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": self.item.schema()}

    def unite(self, other: Type[Any, Any]) -> Type[Any, Any] | None:
        if type(other) is not AttrsOf:
            return None
        item: Type[Any, Any] | None = self.item.unite(other.element())
        return None if item is None else AttrsOf(item)


def attrs_of(item: Type[R, W]) -> Type[Attrs[R, W], Mapping[str, W | Def[W]]]:
    """Mappings from strings to ``item``. Reads as :class:`Attrs`; keys can be written one at a time."""
    return AttrsOf(item)


class Submodule(Type[S, "Callable[[S], None]"]):
    """An option set inside another. A whole value is a function that records into it."""

    leaf = False
    structural = True

    def __init__(self, cls: type[S]) -> None:
        self.cls = cls
        self.words = f"a submodule ({cls.__name__})"

    def merge(self, engine: Engine, slot: Slot, values: Values) -> S:
        for value, definition in values:
            if not callable(value) or isinstance(value, type):
                hint = f"Write a function: def values(one: {self.cls.__name__}) -> None: one.name = ..."
                raise Mismatch(
                    value, definition, expected=f"a function that records a {self.cls.__name__}", hint=hint
                )
        return engine.submodule(slot, self.cls, values)  # type: ignore[no-any-return]  # a view of cls

    def empty(self, engine: Engine, slot: Slot) -> object:
        return engine.submodule(slot, self.cls, [])

    def schema(self) -> Schema:
        from holdfast.options.documentation import schema_of_set

        return schema_of_set(self.cls)

    def unite(self, other: Type[Any, Any]) -> Type[Any, Any] | None:
        others: Any = other
        return self if type(other) is Submodule and others.cls is self.cls else None


def submodule(cls: type[S]) -> Type[S, Callable[[S], None]]:
    """Values of another option set, written through a recorder of it or by a function that takes one."""
    return Submodule(cls)


@cache  # a few types make up most options
def plural(words: str) -> str:
    """Put a type's words into the plural: ``a list of strings``."""
    head, separator, tail = words.partition(" (")
    for article in ("a ", "an "):
        if head.startswith(article):
            head = head[len(article) :]
            break
    else:
        return f"values ({words})" if separator else f"values: {words}"
    first, of, rest = head.partition(" of ")
    first, from_, rest_from = first.partition(" from ")
    first = f"{first[:-1]}ies" if first.endswith("y") and first[-2:-1] not in "aeiou" else f"{first}s"
    return f"{first}{from_}{rest_from}{of}{rest}{separator}{tail}"
