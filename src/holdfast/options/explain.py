"""Why an option has the value it has: every definition, what became of it, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from holdfast.base.errors import HoldfastError
from holdfast.options.definition import OPTION_DEFAULT, PLAIN, UNORDERED, Deferred
from holdfast.options.paths import format_path, parse_path, suggest
from holdfast.options.places import line_of, shown_file
from holdfast.options.tree import UNSET, Node, Slot
from holdfast.options.words import show

if TYPE_CHECKING:
    from holdfast.options.condition import Condition
    from holdfast.options.config import Engine
    from holdfast.options.declare import OptionSet
    from holdfast.options.definition import Anything, Recorded
    from holdfast.options.paths import Path

Outcome = Literal["won", "outranked", "condition is false", "condition failed"]


@dataclass(frozen=True)
class Line:
    """A place in the author's files."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{shown_file(self.file)}:{self.line}"


@dataclass(frozen=True)
class ConditionOutcome:
    """One ``when`` around a definition, outermost first; None: it could not be evaluated, or an outer one is false."""

    place: Line
    holds: bool | None


@dataclass(frozen=True)
class Explained:
    """One definition of an option. ``why`` is a phrase that says what became of it."""

    value: str
    place: Line
    priority: int
    order: int
    conditions: tuple[ConditionOutcome, ...]
    outcome: Outcome
    why: str
    path: str
    """Which path it defines: the option's own, or one above it that a whole mapping was assigned to."""


@dataclass(frozen=True)
class Explanation:
    """Everything there is to say about one option. ``value`` is its text, None if it has none (then ``error`` says why)."""

    path: Path
    type: str
    doc: str
    declared: Line | None
    value: str | None
    error: str | None
    definitions: tuple[Explained, ...]
    entries: tuple[str, ...]
    """Paths of what lies below, if it is a mapping or submodule."""

    def __str__(self) -> str:
        lines = [f"{format_path(self.path)} = {self.value if self.value is not None else '(no value)'}"]
        lines.append(f"  {self.type}" + (f", declared at {self.declared}" if self.declared else ""))
        for one in self.definitions:
            lines.append(f"  {'*' if one.outcome == 'won' else '-'} {one.place}: {one.value}")
            lines.append(f"      {one.why}")
        if self.error:
            lines.append(self.error)
        lines += [f"  {path}" for path in self.entries]
        return "\n".join(lines)


def explain(engine: Engine, path: Path | str) -> Explanation:
    """Explain one option, given as a tuple or in the form of the command line."""
    wanted = parse_path(path) if isinstance(path, str) else path
    found = _find(engine, wanted)
    if isinstance(found, Node):
        return Explanation(
            wanted,
            f"option set {found.cls.__name__}",
            (found.cls.__doc__ or "").strip(),
            None,
            None,
            None,
            (),
            _below(engine, found),
        )
    option = found.defining_option()
    value: str | None = None
    error: str | None = None
    try:
        value = show(_plain(engine, engine.force(found) if found.value is UNSET else found.value))
    except HoldfastError as problem:
        error = str(problem)
    return Explanation(
        path=wanted,
        type=found.type.words,
        doc=option.doc if option is not None and found.option is option else "",
        declared=Line(option.code.co_filename, line_of(option.code, option.offset))
        if option is not None
        else None,
        value=value,
        error=error,
        definitions=_definitions(engine, found),
        entries=_below(engine, found),
    )


def _plain(engine: Engine, value: object) -> object:
    from holdfast.options.whole import plain

    return plain(engine, value)


def _find(engine: Engine, path: Path) -> Slot | Node:
    """Slot or set at a path; the longest matching set path decides."""
    tops = [
        cls
        for cls in engine.available
        if cls.__hf_extends__ is None and path[: len(cls.__hf_path__)] == cls.__hf_path__
    ]
    for cls in sorted(tops, key=lambda one: -len(one.__hf_path__)):
        node: Anything = engine.config[cls].__hf__.node
        found = _descend(engine, node, path[len(cls.__hf_path__) :])
        if found is not None:
            return found
    known = [format_path(cls.__hf_path__) for cls in engine.available if cls.__hf_extends__ is None]
    nearest = _nearest(engine, path) or suggest(format_path(path), known)
    raise HoldfastError(f"there is no option {format_path(path)}.", resolution=nearest)


def _descend(engine: Engine, node: Node, rest: Path) -> Slot | Node | None:
    if not rest:
        return node.slot(node.cls.__hf_root__) if node.cls.__hf_root__ is not None else node
    root = node.cls.__hf_root__
    if root is not None:
        return _into(engine, node.slot(root), rest)
    for name, option in node.cls.__hf_options__.items():
        if option.label and name == rest[0] and option.forward is None and option.removed is None:
            return _into(engine, node.slot(option), rest[1:])
    for cls in engine.extensions.get(node.cls, ()):
        length = len(cls.__hf_path__)
        if rest[:length] == cls.__hf_path__:
            found = _descend(engine, node.extension(cls), rest[length:])
            if found is not None:
                return found
    return None


def _into(engine: Engine, slot: Slot, rest: Path) -> Slot | Node | None:
    if not rest:
        return slot
    if not slot.type.structural:
        return None
    try:
        engine.force(slot) if slot.value is UNSET else slot.value
    except HoldfastError:
        pass  # the error is told with the value
    cls = getattr(slot.type, "cls", None)
    if cls is not None:
        return _descend(engine, slot.below(cls), rest)
    entry = (slot.entries or {}).get(rest[0])
    if entry is None and isinstance(slot.dropped, Slot):
        entry = (slot.dropped.entries or {}).get(rest[0])
    return None if entry is None else _into(engine, entry, rest[1:])


def _nearest(engine: Engine, path: Path) -> str:
    for length in range(len(path) - 1, 0, -1):
        try:
            found = _find(engine, path[:length])
        except HoldfastError:
            return ""
        below = _below(engine, found)
        if below:
            return suggest(format_path(path[: length + 1]), below)
    return ""


def _below(engine: Engine, found: Slot | Node) -> tuple[str, ...]:
    if isinstance(found, Node):
        names = [
            name
            for name, option in found.cls.__hf_options__.items()
            if option.label and option.forward is None and option.removed is None
        ]
        return tuple(format_path((*found.path(), name)) for name in names)
    if found.entries is not None:
        return tuple(format_path((*found.path(), key)) for key in sorted(found.entries))
    cls: type[OptionSet] | None = getattr(found.type, "cls", None)
    if found.type.structural and cls is not None:
        return _below(engine, found.below(cls))
    return ()


def _definitions(engine: Engine, slot: Slot) -> tuple[Explained, ...]:
    made: list[Explained] = []
    conditions = [_conditions(engine, slot, one) for one in slot.defs]
    live = [
        one
        for one, outcomes in zip(slot.defs, conditions, strict=True)
        if all(each.holds for each in outcomes)
    ]
    best = min((one[2] for one in live), default=PLAIN)
    for one, outcomes in zip(slot.defs, conditions, strict=True):
        made.append(_explained(slot, one, outcomes, best, len([each for each in live if each[2] == best])))
    option = slot.option
    if option is not None and option.default is not UNSET:
        default: Anything = option.default
        text = option.default_text or show(default.value if hasattr(default, "priority") else default)
        place = Line(option.code.co_filename, line_of(option.code, option.offset))
        outcome: Outcome = "outranked" if live else "won"
        why = f"the option's default (priority {OPTION_DEFAULT})" + (
            ", which any definition replaces" if live else ""
        )
        made.append(
            Explained(text, place, OPTION_DEFAULT, UNORDERED, (), outcome, why, format_path(slot.path()))
        )
    return tuple(made)


def _conditions(engine: Engine, slot: Slot, definition: Recorded) -> tuple[ConditionOutcome, ...]:
    chain: list[Condition] = []
    condition = definition[1]
    while condition is not None:
        chain.append(condition)
        condition = condition.parent
    made: list[ConditionOutcome] = []
    for one in reversed(chain):
        holds: bool | None = None
        if all(outer.holds for outer in made):
            try:
                holds = engine.holds(one, slot, definition)
            except HoldfastError:
                holds = None
        made.append(ConditionOutcome(Line(one.code.co_filename, line_of(one.code, one.offset)), holds))
    return tuple(made)


def _explained(
    slot: Slot, definition: Recorded, outcomes: tuple[ConditionOutcome, ...], best: int, winners: int
) -> Explained:
    value, _, priority, position, code, offset = definition
    outcome: Outcome
    false = next((one for one in outcomes if not one.holds), None)
    order = f", order {position}" if position != UNORDERED else ""
    if false is not None:
        outcome = "condition failed" if false.holds is None else "condition is false"
        why = f"the condition at {false.place} " + ("failed" if false.holds is None else "does not hold")
    elif priority == best:
        outcome = "won"
        why = f"priority {priority}{order}" + (f", merged with {winners - 1} more" if winners > 1 else "")
    else:
        outcome = "outranked"
        why = f"priority {priority} gives way to priority {best}"
    text = "lazy(...)" if type(value) is Deferred else show(value)
    return Explained(
        text,
        Line(code.co_filename, line_of(code, offset)),
        priority,
        position,
        outcomes,
        outcome,
        why,
        format_path(slot.path()),
    )
