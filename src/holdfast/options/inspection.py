"""Asking about an option instead of for its value: whether it is defined, by whom, at which priority."""

from __future__ import annotations

from holdfast.options.definition import OPTION_DEFAULT, Deferred
from holdfast.options.places import line_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.options.config import Engine
    from holdfast.options.declare import Option, OptionSet
    from holdfast.options.definition import Recorded
    from holdfast.options.tree import Slot


class Definition:
    """One definition that holds: its value (None while it is lazy), priority, order and place."""

    __slots__ = ("file", "line", "order", "priority", "value")

    def __init__(self, recorded: Recorded) -> None:
        value, _, self.priority, self.order, code, offset = recorded
        self.value = None if type(value) is Deferred else value
        self.file = code.co_filename
        self.line = line_of(code, offset)

    def __repr__(self) -> str:
        return f"Definition({self.value!r}, priority={self.priority}, at {self.file}:{self.line})"


def is_defined(view: OptionSet, option: Option[Any, Any]) -> bool:
    """Tell whether any module defines an option: ``is_defined(c[Nginx], Nginx.user)``. Its default does not count."""
    engine, slot = _slot(view, option)
    return slot is not None and engine.active(slot)


def definitions_of(view: OptionSet, option: Option[Any, Any]) -> tuple[Definition, ...]:
    """Definitions that win: those whose conditions hold, at the lowest priority number, in order."""
    engine, slot = _slot(view, option)
    return () if slot is None else tuple(Definition(one) for one in engine.winners(slot))


def priority_of(view: OptionSet, option: Option[Any, Any]) -> int:
    """Priority number that wins; 1500 when only the option's default is there."""
    won = definitions_of(view, option)
    return won[0].priority if won else OPTION_DEFAULT


def _slot(view: OptionSet, option: Option[Any, Any]) -> tuple[Engine, Slot | None]:
    state: Any = view.__hf__
    if option.forward is not None:
        option, node = state.engine.recorder.forwarded(option, state.node)
        return state.engine, node.slots.get(option.name)
    return state.engine, state.node.slots.get(option.name)
