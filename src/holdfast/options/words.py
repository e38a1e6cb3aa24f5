"""Errors of an evaluation in words: the option, its type, every definition's value and place, what to do next."""

from __future__ import annotations

import linecache
from types import FunctionType

from holdfast.base.errors import HoldfastError
from holdfast.options.condition import Condition
from holdfast.options.definition import Deferred
from holdfast.options.modules import describe
from holdfast.options.paths import format_path, suggest
from holdfast.options.places import HERE, author_frame, format_place, shown_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any

    from holdfast.options.engine import Engine
    from holdfast.options.tree import Node, Slot
    from holdfast.options.types import Conflict, Mismatch

_SHOWN_CHAIN = 12


def show(value: object) -> str:
    """A value for people, on one line."""
    from holdfast.options.attrs import Attrs
    from holdfast.options.declare import OptionSet

    if isinstance(value, Deferred):
        return "lazy(...)"
    if isinstance(value, FunctionType):
        return describe(value)
    if isinstance(value, (OptionSet, Attrs)):
        return f"a read of {format_path(_state_path(value))}"
    try:
        text = repr(value)
    except Exception as error:
        text = f"<{type(value).__name__}, whose repr fails: {error}>"
    return text if len(text) <= 200 else f"{text[:160]} ... ({len(text)} characters)"


def _state_path(value: Any) -> tuple[str, ...]:
    state = value.__hf__
    path: tuple[str, ...] = (state.node if hasattr(state, "node") else state.slot).path()
    return path


def name(slot: Slot) -> str:
    """Path of a slot for people."""
    return format_path(slot.path())


def _place(definition: tuple[Any, ...]) -> str:
    return format_place(definition[4], definition[5])


def chain_lines(engine: Engine, *, without: Slot | None = None) -> str:
    """How the evaluation came here: which option needed which, and where it says so."""
    links = [slot for slot in engine.chain if slot is not without]
    lines = [_link(slot) for slot in reversed(links)]
    if len(lines) > _SHOWN_CHAIN:
        half = _SHOWN_CHAIN // 2
        lines = [*lines[:half], f"  ... {len(lines) - 2 * half} more ...", *lines[-half:]]
    return "\n".join(lines)


def _link(slot: Slot) -> str:
    if slot.doing is None:
        return f"  needed by {name(slot)}"
    kind = "a condition of it" if isinstance(slot.doing[0], Condition) else "its definition"
    return f"  needed by {name(slot)}, {kind} at {_place(slot.doing)}"


def _details(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def mismatched(engine: Engine, slot: Slot, mismatch: Mismatch) -> HoldfastError:
    """A value is not of the option's type."""
    at = f" ({mismatch.at})" if mismatch.at else ""
    option = slot.defining_option()
    declared = f"{name(slot)} is {slot.type.words}" + (
        f", declared at {format_place(option.code, option.offset)}" if option else ""
    )
    return HoldfastError(
        f"{_place(mismatch.definition)}: {name(slot)}{at} takes {mismatch.expected}, not "
        f"{type(mismatch.value).__name__} {show(mismatch.value)}.",
        details=_details(declared, chain_lines(engine, without=slot)),
        resolution=_advice(mismatch),
    )


def _advice(mismatch: Mismatch) -> str:
    """The type's own hint, unless the value shows what was meant."""
    if isinstance(mismatch.value, FunctionType):
        return "For a value that follows from others, put lazy(...) around the function: lazy(lambda c: ...)."
    if mismatch.value is None:
        return "Leave the assignment out: an option without one has its default."
    return mismatch.hint


def conflicting(engine: Engine, slot: Slot, conflict: Conflict) -> HoldfastError:
    """Definitions that cannot all hold."""
    lines = [f"  {_place(definition)}: {show(value)}" for value, definition in conflict.values]
    resolution = conflict.hint or (
        "Keep one of them, or say which one wins: default(...) gives way to the others, force(...) beats them."
    )
    return HoldfastError(
        f"{name(slot)} ({slot.type.words}) has {len(lines)} definitions that {conflict.why}.",
        details=_details(*lines, chain_lines(engine, without=slot)),
        resolution=resolution,
    )


def undefined(engine: Engine, slot: Slot) -> HoldfastError:
    """An option was read that nobody defined."""
    from holdfast.options.engine import Undefined

    option = slot.defining_option()
    declared = f"  declared at {format_place(option.code, option.offset)}" if option else ""
    dropped = [f"  {_place(one)}: {show(one[0])}, its condition does not hold" for one in slot.defs]
    made = Undefined(
        f"{name(slot)} ({slot.type.words}) is needed but not defined.",
        details=_details(declared, *dropped, chain_lines(engine, without=slot)),
        resolution=f"Define it in a module: {assignment(slot)}",
    )
    made.slot = slot
    return made


def assignment(slot: Slot) -> str:
    """Line that would define a slot."""
    example = slot.option.example if slot.option is not None else None
    return f"{expression(slot)} = {'...' if example is None else show(example)}"


def expression(slot: Slot | Node, root: str = "m") -> str:
    """Python that reaches a slot or an option set: ``m[Systemd].services["hello"].user``."""
    from holdfast.options.tree import Node

    steps: list[str] = []
    at: Any = slot
    while at is not None:
        if isinstance(at, Node):
            if at.parent is None or at.cls.__hf_extends__ is not None:
                steps.append(f"[{at.cls.__name__}]")
        elif at.option is not None and at.option.label:
            steps.append(f".{at.option.name}")
        elif at.option is None:
            steps.append(f"[{at.name!r}]")
        at = at.parent
    return root + "".join(reversed(steps))


def cycle(engine: Engine, slot: Slot) -> HoldfastError:
    """An option needs itself."""
    start = next(index for index, one in enumerate(engine.chain) if one is slot)
    loop = engine.chain[start:]
    links: list[str] = []
    for index, one in enumerate(loop):
        following = loop[index + 1] if index + 1 < len(loop) else slot
        where = f" (at {_place(one.doing)})" if one.doing is not None else ""
        which = " for a condition" if one.doing is not None and isinstance(one.doing[0], Condition) else ""
        links.append(f"  {name(one)} needs {name(following)}{which}{where}")
    if len(links) > 2 * _SHOWN_CHAIN:
        links = [
            *links[:_SHOWN_CHAIN],
            f"  ... {len(links) - 2 * _SHOWN_CHAIN} more ...",
            *links[-_SHOWN_CHAIN:],
        ]
    return HoldfastError(
        f"{name(slot)} depends on itself.",
        details="\n".join(links),
        resolution="Break the circle: give one of these options a value that reads none of the others.",
    )


def chain_too_long(engine: Engine) -> HoldfastError:
    """A chain of options reached the bound."""
    from holdfast.options.engine import LONGEST_CHAIN

    return HoldfastError(
        f"a chain of options is too long: more than {LONGEST_CHAIN} options each need the next one.",
        details=chain_lines(engine),
        resolution="Compute such a sequence in plain Python, and define the result.",
    )


def not_a_truth(engine: Engine, condition: Condition, result: object) -> HoldfastError:
    """A condition gave something else than True or False."""
    return HoldfastError(
        f"{format_place(condition.code, condition.offset)}: a condition is True or False, not "
        f"{type(result).__name__} {show(result)}.",
        details=chain_lines(engine),
        resolution="Compare explicitly: m.when(lambda c: c[...].option != ...), or bool(...).",
    )


def lazy_gave_def(engine: Engine, definition: tuple[Any, ...]) -> HoldfastError:
    """A lazy value came with a priority."""
    return HoldfastError(
        f"{_place(definition)}: the function of lazy() gives a plain value, not default(), force(), before() or lazy().",
        details=chain_lines(engine),
        resolution="Put it outside: force(lazy(lambda c: ...)).",
    )


def failed_code(engine: Engine, slot: Slot, what: str, error: Exception) -> HoldfastError:
    """The author's own function raised."""
    where = f"{_place(slot.doing)}: " if slot.doing is not None else ""
    return with_cause(
        HoldfastError(
            f"{where}the {what} {name(slot)} failed: {type(error).__name__}: {error}",
            details=_details(_raised_at(error), chain_lines(engine, without=slot)),
            resolution="Correct that code; everything an option's function needs must be readable from its config.",
        ),
        error,
    )


def failed_module(module: object, error: Exception) -> HoldfastError:
    """A module's own code raised."""
    last = _last_of_the_authors(error)
    where = "" if last is None else f"{shown_file(last.tb_frame.f_code.co_filename)}:{last.tb_lineno}: "
    return HoldfastError(
        f"{where}module {describe(module)} failed: {type(error).__name__}: {error}",
        details=_raised_at(error),
        resolution="Correct that code."
        if last is not None or not isinstance(error, TypeError)
        else "A module is a function of one parameter: def web(m: Module) -> None: ...",
    )


def with_cause(told: HoldfastError, cause: Exception) -> HoldfastError:
    """Keep the original exception for debuggers."""
    told.__cause__ = cause
    return told


def _last_of_the_authors(error: Exception) -> TracebackType | None:
    """Walked by hand: the frames of an endless recursion are too many to look up the source of each."""
    last, at = None, error.__traceback__
    while at is not None:
        if not at.tb_frame.f_code.co_filename.startswith(HERE):
            last = at
        at = at.tb_next
    return last


def _raised_at(error: Exception) -> str:
    last = _last_of_the_authors(error)
    if last is None:
        return ""
    filename = last.tb_frame.f_code.co_filename
    text = linecache.getline(filename, last.tb_lineno, last.tb_frame.f_globals).strip()
    return f"  raised at {shown_file(filename)}:{last.tb_lineno}" + (f": {text}" if text else "")


def unknown_key(engine: Engine, slot: Slot, key: str, keys: list[str], frame: FrameType) -> HoldfastError:
    """A mapping has no such entry."""
    frame = author_frame(frame)
    return HoldfastError(
        f"{format_place(frame.f_code, frame.f_lasti)}: {name(slot)} has no entry {key!r}.",
        details=chain_lines(engine),
        resolution=suggest(key, keys) or "It has no entries at all.",
    )
