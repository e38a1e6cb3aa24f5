"""Why an option has the value it has: every definition, what became of it, and where it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.options.definition import OPTION_DEFAULT, PLAIN, UNORDERED, Deferred
from holdfast.options.lookup import below, find
from holdfast.options.paths import format_path, parse_path
from holdfast.options.places import line_of, shown_file
from holdfast.options.tree import UNSET, Node, Slot
from holdfast.options.words import show

if TYPE_CHECKING:
    from holdfast.options.condition import Condition
    from holdfast.options.config import Engine
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
        # A set has no value, only entries: its path says it all.
        value = "(no value)" if self.value is None and not self.entries else self.value
        lines = [format_path(self.path) + (f" = {value}" if value is not None else "")]
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
    found, aside = find(engine, wanted)
    if isinstance(found, Node):
        doc = (found.cls.__doc__ or "").strip()
        words = f"option set {found.cls.__name__}"
        return Explanation(wanted, words, doc, None, None, None, (), below(engine, found))
    value: str | None = None
    error: str | None = None
    if found is aside:
        error = (
            f"It has no part in the result: a stronger definition above {format_path(wanted)} replaces it."
        )
    else:
        try:
            value = show(_plain(engine, engine.force(found) if found.value is UNSET else found.value))
        except HoldfastError as problem:
            error = str(problem)
    option = found.defining_option()
    definitions = () if found is aside else _definitions(engine, found)
    if isinstance(aside, Slot):
        definitions += tuple(
            replace(
                one, outcome="outranked", why="a stronger definition of the whole value above it replaces it"
            )
            for one in _definitions(engine, aside)
            if one.priority != OPTION_DEFAULT
        )
    return Explanation(
        path=wanted,
        type=found.type.words,
        doc=option.doc if option is not None and found.option is option else "",
        declared=None
        if option is None
        else Line(option.code.co_filename, line_of(option.code, option.offset)),
        value=value,
        error=error,
        definitions=definitions,
        entries=below(engine, found),
    )


def _plain(engine: Engine, value: object) -> object:
    from holdfast.options.whole import plain

    return plain(engine, value)


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
