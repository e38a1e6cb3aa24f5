"""Resolution of one value: conditions, then priority, then order, then check and merge in one pass, then apply."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.declare import bind
from holdfast.options.definition import OPTION_DEFAULT, PLAIN, UNORDERED, Def, Deferred
from holdfast.options.structure import attrs_at, drop_below, submodule_at
from holdfast.options.tree import BUSY, UNSET, Node, Slot, slot_of
from holdfast.options.types import Conflict, Mismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from holdfast.options.attrs import Attrs
    from holdfast.options.condition import Condition
    from holdfast.options.config import Config
    from holdfast.options.declare import OptionSet
    from holdfast.options.definition import Recorded
    from holdfast.options.graph import Recorder
    from holdfast.options.places import Place
    from holdfast.options.types import Type, Values

    T = TypeVar("T")

LONGEST_CHAIN = 4000
_CONSTANT = frozenset({str, int, bool, tuple, type(None), frozenset})
_SHALLOW_CHAIN = 40  # how many options deep to go on the caller's own stack


class TooDeepHereError(BaseException):
    """The chain is too long for the caller's stack: start again on a bigger one. Never leaves the engine."""


class Undefined(HoldfastError):
    """An option without a definition and without a default was read. Caught where all options are listed."""

    slot: Slot | None = None


class Engine:
    """Resolves slots, each once."""

    __slots__ = (
        "available",
        "bound",
        "chain",
        "config",
        "extensions",
        "guarded",
        "nodes",
        "recorder",
        "united",
        "views",
    )

    def __init__(self, recorder: Recorder, config: Config) -> None:
        self.recorder = recorder
        self.config = config
        self.nodes = recorder.nodes
        self.united = recorder.united
        self.available = recorder.available
        self.views: dict[type[OptionSet], OptionSet] = {}
        self.chain: list[Slot] = []
        self.bound = _SHALLOW_CHAIN
        self.guarded = False
        self.extensions: dict[type[OptionSet], list[type[OptionSet]]] = {}
        for cls in recorder.available:
            if cls.__hf_extends__ is not None:
                self.extensions.setdefault(cls.__hf_extends__, []).append(cls)

    def open(self, cls: type[OptionSet], place: Place) -> OptionSet:
        """View of a top-level set."""
        from holdfast.options.graph import missing_set
        from holdfast.options.places import format_place

        if cls not in self.available:
            raise missing_set(cls, f"{format_place(*place)}: ")
        node = self.nodes.get(cls)
        if node is None:
            node = self.nodes[cls] = Node(cls, None, cls.__hf_path__)
        view = self.views[cls] = self.view(node)
        return view

    def view(self, node: Node) -> OptionSet:
        """Read view of a node."""
        from holdfast.options.config import NodeView

        if node.view is None:
            node.view = bind(node.cls, NodeView(self, node))
        return node.view

    def force(self, slot: Slot) -> Any:
        """Value of a slot. Raises :class:`HoldfastError` with the chain of options that led here."""
        chain = self.chain
        if slot.value is BUSY:
            from holdfast.options.words import cycle

            raise cycle(self, slot)
        if len(chain) >= self.bound:
            raise self._too_deep()
        if not self.guarded:
            return self.guard(lambda: self._value(slot))
        return self._value(slot)

    def guard(self, work: Callable[[], T]) -> T:
        """Run what forces options on the caller's stack; if a chain is too long for it, again on a big one."""
        if self.guarded:
            return work()
        self.guarded = True
        try:
            try:
                return work()
            except (TooDeepHereError, RecursionError):
                from holdfast.options.deep import on_a_big_stack
            self.bound = LONGEST_CHAIN
            return on_a_big_stack(self, work)
        finally:
            self.bound = _SHALLOW_CHAIN
            self.guarded = False

    def _too_deep(self) -> BaseException:
        if self.bound == _SHALLOW_CHAIN:
            return TooDeepHereError()
        from holdfast.options.words import chain_too_long

        return chain_too_long(self)

    def _value(self, slot: Slot) -> Any:
        chain = self.chain
        chain.append(slot)
        slot.value = BUSY
        value: object = UNSET
        try:
            value = self._settle(slot)
        except Mismatch as mismatch:
            from holdfast.options.words import mismatched

            raise mismatched(self, slot, mismatch) from None
        except Conflict as conflict:
            from holdfast.options.words import conflicting

            raise conflicting(self, slot, conflict) from None
        except Exception as error:
            raise self.failed(error, slot, "merging of")  # noqa: B904 - failed() sets the cause
        finally:
            slot.value = value
            slot.doing = None
            chain.pop()
        return value

    def _settle(self, slot: Slot) -> Any:
        live = slot.defs
        for one in live:
            if one[1] is not None or one[2] != PLAIN or one[3] != UNORDERED:
                live = self.winners(slot)
                break
        type_ = slot.type
        option = slot.option
        if self.united and option is not None:
            type_ = self.united.get(option, type_)
        if type_.structural and live and self._below(slot):
            if live[0][2] < PLAIN:
                drop_below(slot)
            elif live[0][2] > PLAIN and self.active_below(slot):
                live = []
        if not live:
            given = self._default(slot)
            if given is None:
                value = type_.empty(self, slot)
                if value is UNSET:
                    from holdfast.options.words import undefined

                    raise undefined(self, slot)
                return self._constant(slot, value)
            live = [given]
        elif option is not None and option.read_only and len(live) > 1:
            raise Conflict([(one[0], one) for one in live], why="are more than one, and it is read-only")
        values: Values = [(self.run(one, slot) if type(one[0]) is Deferred else one[0], one) for one in live]
        value = type_.merge(self, slot, values)
        if option is None:
            return value
        if live[0][0] is option.default:
            self._constant(slot, value)
        if option.apply is not None:
            slot.doing = live[0]
            try:
                return option.apply(value)
            except Exception as error:
                raise self.failed(error, slot, "apply of")  # noqa: B904 - failed() sets the cause
        return value

    def _constant(self, slot: Slot, value: Any) -> Any:
        """Remember what an option is without definitions, if that can never differ."""
        option = slot.option
        if option is None or slot.defs or self.united or option.apply is not None:
            return value
        if type(value) in _CONSTANT:
            option.constant = value
        return value

    def winners(self, slot: Slot) -> list[Recorded]:
        """Definitions whose conditions hold, of the lowest priority number only, in order."""
        live = slot.defs
        if len(live) == 1 and live[0][1] is None:
            return live
        live = [one for one in live if one[1] is None or self.holds(one[1], slot, one)]
        if len(live) > 1:
            best = min([one[2] for one in live])
            live = [one for one in live if one[2] == best]
            for one in live:
                if one[3] != UNORDERED:
                    live.sort(key=_position)
                    break
        return live

    def holds(self, condition: Condition, slot: Slot, definition: Recorded) -> bool:
        """Tell whether a condition and all around it hold; each is evaluated once."""
        known = condition.value
        if known is not None:
            return known
        if condition.parent is not None and not self.holds(condition.parent, slot, definition):
            condition.value = False
            return False
        slot.doing = (condition, condition, 0, 0, condition.code, condition.offset)
        try:
            result = condition.thunk(self.config)
        except Exception as error:
            raise self.failed(error, slot, "condition of")  # noqa: B904 - failed() sets the cause
        if result is not True and result is not False:
            from holdfast.options.words import not_a_truth

            raise not_a_truth(self, condition, result)
        condition.value = result
        return result

    def run(self, definition: Recorded, slot: Slot) -> object:
        """Value of a lazy definition."""
        slot.doing = definition
        thunk: Any = definition[0]
        try:
            value = thunk.thunk(self.config)
        except Exception as error:
            raise self.failed(error, slot, "lazy value of")  # noqa: B904 - failed() sets the cause
        if type(value) is Def:
            from holdfast.options.words import lazy_gave_def

            raise lazy_gave_def(self, definition)
        return value

    def failed(self, error: Exception, slot: Slot, what: str) -> Exception:
        """Errors of ours already tell everything; those of the author's code get the option and the chain."""
        if isinstance(error, (HoldfastError, Mismatch, Conflict)):
            return error
        if isinstance(error, RecursionError) and self.bound == _SHALLOW_CHAIN:
            return error  # perhaps only this stack is too small: guard() starts again on a big one
        from holdfast.options.words import failed_code

        return failed_code(self, slot, what, error)

    def _default(self, slot: Slot) -> Recorded | None:
        option = slot.option
        if option is None:
            return None
        given: Any = option.default
        if option.fallback_function is not None:
            node: Any = slot.parent
            slot.doing = (None, None, OPTION_DEFAULT, UNORDERED, option.code, option.offset)
            try:
                given = option.fallback_function(self.view(node))
            except Exception as error:
                raise self.failed(error, slot, "default of")  # noqa: B904 - failed() sets the cause
        elif given is UNSET or (slot.type.structural and self.active_below(slot)):
            return None
        if type(given) is Def:
            given = given.value
        return (given, None, OPTION_DEFAULT, UNORDERED, option.code, option.offset)

    def _below(self, slot: Slot) -> bool:
        return slot.entries is not None or slot.each is not None or slot.node is not None

    def active(self, slot: Slot) -> bool:
        """Tell whether anything defines a slot: decides which keys a mapping has, without looking at values."""
        known = slot.present
        if known is True or known is False:
            return known
        if known is BUSY:
            from holdfast.options.words import cycle

            raise cycle(self, slot)
        for one in slot.defs:
            if one[1] is None:
                slot.present = True
                return True
        return self._active(slot) if self.guarded else self.guard(lambda: self._active(slot))

    def _active(self, slot: Slot) -> bool:
        chain = self.chain
        if len(chain) >= self.bound:
            raise self._too_deep()
        chain.append(slot)
        doing, slot.doing, slot.present = slot.doing, None, BUSY
        result: Any = UNSET
        try:
            result = (
                any([self.holds(one[1], slot, one) for one in slot.defs if one[1] is not None])
                or any([one[1] is None or self.holds(one[1], slot, one) for one in slot.presence or ()])
                or self.active_below(slot)
            )
        finally:
            slot.present = result
            slot.doing = doing
            chain.pop()
        return result is True

    def active_below(self, slot: Slot) -> bool:
        """Tell whether anything below a mapping or submodule is defined."""
        if slot.each is not None and any(
            [one[1] is None or self.holds(one[1], slot, one) for one in slot.each]
        ):
            return True
        if slot.entries is not None and any(self.active(entry) for entry in slot.entries.values()):
            return True
        return slot.node is not None and self._active_node(slot.node)

    def _active_node(self, node: Node) -> bool:
        for slot in node.slots.values():
            if self.active(slot):
                return True
        return node.extensions is not None and any(self._active_node(one) for one in node.extensions.values())

    def attrs(self, slot: Slot, whole: list[tuple[str, Recorded]]) -> Attrs[Any, Any]:
        """Mapping of a slot; ``whole``: keys and values of its whole-value definitions."""
        return attrs_at(self, slot, whole)

    def submodule(self, slot: Slot, cls: type[OptionSet], values: Values) -> Any:
        """View of a submodule; ``values``: functions that record into it."""
        return submodule_at(self, slot, cls, values)

    def merge_part(self, slot: Slot, name: str, type_: Type[Any, Any], values: Values) -> Any:
        """Merge a part of a value that has a place of its own, such as an item of a list of submodules."""
        part = slot_of(slot, name, type_, None)
        return type_.merge(self, part, values)


def _position(definition: Recorded) -> int:
    return definition[3]
