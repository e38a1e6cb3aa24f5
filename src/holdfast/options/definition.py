"""What an assignment says besides its value: priority, order, and whether the value is computed later.

Lower priority numbers win: an option's own default has 1500, :func:`default` 1000, a plain assignment 100, :func:`force` 50.
Among the definitions that win, lower order numbers come first: :func:`before` 500, plain 1000, :func:`after` 1500.
"""

from __future__ import annotations

from types import CellType, CodeType, FunctionType

from holdfast.base.errors import HoldfastError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar, Union, overload

    from holdfast.options.condition import Condition
    from holdfast.options.config import Config
else:
    from holdfast.options.lean import Generic, TypeVar, overload

OPTION_DEFAULT = 1500
DEFAULT = 1000
PLAIN = 100
FORCE = 50
BEFORE = 500
UNORDERED = 1000
AFTER = 1500

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Deferred:
    """A value computed from the resolved config when it is needed."""

    __slots__ = ("thunk",)

    def __init__(self, thunk: Callable[[Config], object]) -> None:
        self.thunk = thunk


class Def(Generic[T_co]):
    """A value with its priority and order, as made by :func:`default`, :func:`lazy` and their siblings."""

    __slots__ = ("order", "priority", "value")

    def __init__(self, value: object, priority: int | None = None, order: int | None = None) -> None:
        self.value = value
        self.priority = priority
        self.order = order

    def __repr__(self) -> str:
        inner = "lazy(...)" if type(self.value) is Deferred else repr(self.value)
        if self.order is not None:
            inner = f"order({self.order}, {inner})"
        return inner if self.priority is None else f"override({self.priority}, {inner})"


if TYPE_CHECKING:
    # One recorded definition: value or Deferred, condition, priority, order, place. A tuple, because there are
    # thousands of them and most are looked at once.
    Recorded = tuple[object, Union[Condition, None], int, int, CodeType, int]
    Anything = Any  # a value whose type the option's type checks at run time


def lazy(thunk: Callable[[Config], T]) -> Def[T]:
    """Compute the value from the resolved config: ``lazy(lambda c: c[Nginx].user)``."""
    if not callable(thunk):
        raise HoldfastError(
            f"lazy() takes a function of the config, not {type(thunk).__name__} {thunk!r}.",
            resolution="Write lazy(lambda c: ...), or assign the value without lazy().",
        )
    return Def(Deferred(freeze(thunk)))


@overload
def default(value: Def[T]) -> Def[T]: ...
@overload
def default(value: T) -> Def[T]: ...
def default(value: Any) -> Def[Any]:
    """Give way to any plain assignment (priority 1000)."""
    return _prioritised(DEFAULT, value)


@overload
def force(value: Def[T]) -> Def[T]: ...
@overload
def force(value: T) -> Def[T]: ...
def force(value: Any) -> Def[Any]:
    """Win over plain assignments (priority 50)."""
    return _prioritised(FORCE, value)


@overload
def override(priority: int, value: Def[T]) -> Def[T]: ...
@overload
def override(priority: int, value: T) -> Def[T]: ...
def override(priority: int, value: Any) -> Def[Any]:
    """Take part at this priority; the lowest number among an option's definitions wins alone."""
    return _prioritised(priority, value)


@overload
def before(value: Def[T]) -> Def[T]: ...
@overload
def before(value: T) -> Def[T]: ...
def before(value: Any) -> Def[Any]:
    """Come before the other definitions of a list or text (order 500)."""
    return _ordered(BEFORE, value)


@overload
def after(value: Def[T]) -> Def[T]: ...
@overload
def after(value: T) -> Def[T]: ...
def after(value: Any) -> Def[Any]:
    """Come after the other definitions of a list or text (order 1500)."""
    return _ordered(AFTER, value)


@overload
def order(position: int, value: Def[T]) -> Def[T]: ...
@overload
def order(position: int, value: T) -> Def[T]: ...
def order(position: int, value: Any) -> Def[Any]:
    """Come at this position among the definitions of a list or text; plain ones are at 1000."""
    return _ordered(position, value)


def _prioritised(priority: int, value: Anything) -> Def[Anything]:
    if type(value) is not Def:
        return Def(value, priority)
    if value.priority is not None:
        raise HoldfastError(
            f"this definition already has priority {value.priority}; a second one ({priority}) says nothing clear.",
            resolution="Keep one of default(), force() and override().",
        )
    return Def(value.value, priority, value.order)


def _ordered(position: int, value: Anything) -> Def[Anything]:
    if type(value) is not Def:
        return Def(value, None, position)
    if value.order is not None:
        raise HoldfastError(
            f"this definition already has order {value.order}; a second one ({position}) says nothing clear.",
            resolution="Keep one of before(), after() and order().",
        )
    return Def(value.value, value.priority, position)


def freeze(function: Anything) -> Anything:
    """Copy the filled closure cells of a function, so that a loop variable keeps the value it has now.

    Functions found in those cells are copied too, since they may close over the same loop variable.
    """
    if type(function) is not FunctionType or not function.__closure__:
        return function
    return _freeze(function, {})


def _freeze(function: FunctionType, done: dict[int, FunctionType]) -> FunctionType:
    closure = function.__closure__ or ()
    cells = [CellType() for _ in closure]
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, tuple(cells)
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    copy.__qualname__ = function.__qualname__
    done[id(function)] = copy
    kept = list(closure)
    for index, cell in enumerate(closure):
        try:
            content = cell.cell_contents
        except ValueError:  # not filled yet: a name bound further down, to be read when it is needed
            continue
        if type(content) is FunctionType and content.__closure__:
            content = done.get(id(content)) or _freeze(content, done)
        cells[index].cell_contents = content
        kept[index] = cells[index]
    if any(kept[index] is not cells[index] for index in range(len(cells))):
        final = FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, tuple(kept)
        )
        final.__kwdefaults__ = function.__kwdefaults__
        final.__dict__.update(function.__dict__)
        final.__qualname__ = function.__qualname__
        return final
    return copy
