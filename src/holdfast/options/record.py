"""Recording: what reads and writes mean while a module runs."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.attrs import Attrs, bind_attrs
from holdfast.options.declare import SetMeta, bind, key_of
from holdfast.options.definition import PLAIN, UNORDERED, Def, Deferred, freeze
from holdfast.options.paths import format_path
from holdfast.options.places import author_frame, format_place, frame_at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import FrameType
    from typing import Any, TypeVar

    from holdfast.options.condition import Condition
    from holdfast.options.config import Config
    from holdfast.options.declare import Option, OptionSet
    from holdfast.options.definition import Recorded
    from holdfast.options.graph import Recorder
    from holdfast.options.tree import Node, Slot

    S = TypeVar("S", bound=OptionSet)


class Sink:
    """Where one module, or one function of a submodule, records: the conditions at hand, and whether it still may."""

    __slots__ = ("closed", "condition", "recorder", "recorders")

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.condition: Condition | None = None
        self.closed = False
        self.recorders: dict[Node | Slot, Any] = {}

    def set_at(self, node: Node, cls: type[S]) -> S:
        """Recorder of a node, one per sink."""
        found: S | None = self.recorders.get(node)
        if found is None:
            found = self.recorders[node] = bind(cls, Recording(self, node))
        return found

    def at(self, slot: Slot) -> Any:
        """Recorder of what lies below a structural slot."""
        found = self.recorders.get(slot)
        if found is None:
            type_: Any = slot.type
            if hasattr(type_, "cls"):
                found = self.set_at(slot.below(type_.cls), type_.cls)
            else:
                found = bind_attrs(AttrsRecording(self, slot))
            self.recorders[slot] = found
        return found

    def definition(self, value: object, frame: FrameType) -> Recorded:
        """What one assignment says, with the place it says it at."""
        if self.closed:
            raise HoldfastError(
                f"{_place(frame)}: a module can only define options while it runs.",
                resolution="Recorders do not work inside lazy(...) or after the module returned; define options in the module itself.",
            )
        priority, position = PLAIN, UNORDERED
        if type(value) is Def:
            if value.priority is not None:
                priority = value.priority
            if value.order is not None:
                position = value.order
            value = value.value
        return (value, self.condition, priority, position, frame.f_code, frame.f_lasti)


class Recording:
    """State of an option set while recording."""

    __slots__ = ("node", "sink")

    def __init__(self, sink: Sink, node: Node) -> None:
        self.sink = sink
        self.node = node

    def read(self, option: Option[Any, Any]) -> Any:
        """Recorder of what lies below a structural option. Values cannot be read yet."""
        if option.forward is not None:
            target, node = self.sink.recorder.forwarded(option, self.node)
            return Recording(self.sink, node).read(target)
        if option.type.structural:
            return self.sink.at(self.node.slots.get(option.name) or self.node.slot(option))
        raise self._too_early(self.node.slot(option))

    def _too_early(self, at: Slot | Node) -> HoldfastError:
        from holdfast.options.advice import read_while_recording

        return read_while_recording(author_frame(frame_at(2)), at)

    def write(self, cls: type[OptionSet], name: str, value: object, frame: FrameType) -> None:
        """Record one assignment."""
        slot = self.node.slots.get(name)
        if slot is None:
            option = cls.__hf_options__.get(name)
            if option is None:
                raise self.unknown(cls, name, frame)
            if option.fallback_function is key_of:
                raise HoldfastError(
                    f"{_place(frame)}: {format_path((*self.node.path(), name))} is the key of its entry; it cannot be assigned.",
                    resolution=f"Use another key: ...[{value!r}]",
                )
            if option.forward is not None or option.removed is not None:
                self.sink.recorder.forward(self, option, self.sink.definition(value, frame))
                return
            slot = self.node.slot(option)
        kind: Any = type(value)
        sink = self.sink
        if kind is Def or kind is Attrs or type(kind) is SetMeta or sink.closed:
            if kind is not Def and not sink.closed:
                from holdfast.options.advice import recorder_as_value

                given: Any = value
                state = given.__hf__
                raise recorder_as_value(frame, slot, state.slot if kind is Attrs else state.node)
            slot.defs.append(sink.definition(value, frame))
            return
        slot.defs.append((value, sink.condition, PLAIN, UNORDERED, frame.f_code, frame.f_lasti))

    def unknown(self, cls: type[OptionSet], name: str, frame: FrameType) -> Exception:
        """Error of a name the set does not have."""
        return unknown_option(cls, name, frame)

    def no_truth(self, frame: FrameType) -> Exception:
        """Error of asking whether an option set is true."""
        return self._too_early(self.node)

    def extension(self, cls: type[S]) -> S:
        """Recorder of a set that extends this one."""
        self.sink.recorder.check_extension(cls, self.node.cls, frame_at(2))
        return self.sink.set_at(self.node.extension(cls), cls)


class AttrsRecording:
    """State of a mapping while recording."""

    __slots__ = ("sink", "slot")

    def __init__(self, sink: Sink, slot: Slot) -> None:
        self.sink = sink
        self.slot = slot

    def item(self, key: str, frame: FrameType) -> Any:
        """Recorder of an entry, if entries have options of their own."""
        if type(key) is not str:
            raise HoldfastError(f"{_place(frame)}: keys are strings, not {type(key).__name__} {key!r}.")
        if self.slot.type.element().structural:
            return self.sink.at(self.slot.entry(key))
        from holdfast.options.advice import read_while_recording

        raise read_while_recording(frame, self.slot.entry(key))

    def write(self, key: str, value: object, frame: FrameType) -> None:
        """Record one definition of one key."""
        if type(key) is not str:
            raise HoldfastError(f"{_place(frame)}: keys are strings, not {type(key).__name__} {key!r}.")
        self.slot.entry(key).defs.append(self.sink.definition(value, frame))

    def add(self, key: str, frame: FrameType) -> Any:
        """Record that an entry exists."""
        slot = self.slot.entry(key)
        if not slot.type.structural:
            raise HoldfastError(
                f"{_place(frame)}: add() is for mappings of submodules; an entry here is one value.",
                resolution=f"Assign it: ...[{key!r}] = value",
            )
        if slot.presence is None:
            slot.presence = []
        slot.presence.append(self.sink.definition(None, frame))
        return self.sink.at(slot)

    def record_each(
        self, keys: Callable[[Config], Iterable[str]], body: Callable[[Any, str], None], frame: FrameType
    ) -> None:
        """Record entries for keys that depend on the config."""
        if not self.slot.type.element().structural:
            raise HoldfastError(
                f"{_place(frame)}: each() is for mappings of submodules; an entry here is one value.",
                resolution="Assign the whole mapping: ... = lazy(lambda c: {key: value for key in ...})",
            )
        if self.slot.each is None:
            self.slot.each = []
        self.slot.each.append(self.sink.definition((Deferred(freeze(keys)), freeze(body)), frame))

    def contains(self, key: object, frame: FrameType) -> bool:
        """Refuse: which keys there are is not known yet."""
        from holdfast.options.advice import keys_while_recording

        raise keys_while_recording(author_frame(frame), self.slot)

    def keys(self, frame: FrameType) -> list[str]:
        """Refuse: which keys there are is not known yet."""
        from holdfast.options.advice import keys_while_recording

        raise keys_while_recording(author_frame(frame), self.slot)


def unknown_option(cls: type[OptionSet], name: str, frame: FrameType) -> Exception:
    """Error of a misspelled option; an AttributeError for names Python itself asks for."""
    if name.startswith("__"):
        return AttributeError(name)
    from holdfast.options.paths import suggest

    known = [known for known, option in cls.__hf_options__.items() if not option.internal and known != "*"]
    return HoldfastError(
        f"{_place(frame)}: {cls.__name__} has no option `{name}`.", resolution=suggest(name, known)
    )


def _place(frame: FrameType) -> str:
    return format_place(frame.f_code, frame.f_lasti)
