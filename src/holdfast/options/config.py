"""The resolved config: what readers see, one option at a time, when somebody asks for it."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.engine import Engine
from holdfast.options.graph import check_extends, missing_set
from holdfast.options.places import format_place, frame_at
from holdfast.options.record import unknown_option
from holdfast.options.tree import BUSY, UNSET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import FrameType
    from typing import Any, TypeVar

    from holdfast.options.declare import Option, OptionSet
    from holdfast.options.explain import Explanation
    from holdfast.options.graph import Recorder
    from holdfast.options.modules import ModuleLike
    from holdfast.options.tree import Node, Slot

    S = TypeVar("S", bound=OptionSet)

__all__ = ["AttrsView", "Config", "Engine", "NodeView"]


class Config:
    """The resolved options of one system: ``c[Nginx].enable``. Each is computed when it is read, once.

    Not for several threads at a time before :meth:`verify` returned.
    """

    __slots__ = ("_again", "_engine")

    def __init__(self, recorder: Recorder, again: Again) -> None:
        self._engine = Engine(recorder, self)
        self._again = again

    def __getitem__(self, key: type[S]) -> S:
        """Read view of an option set. Raises :class:`HoldfastError` for one the system does not have."""
        view = self._engine.views.get(key)
        if view is None:
            frame = frame_at(1)
            view = self._engine.open(key, (frame.f_code, frame.f_lasti))
        return view  # type: ignore[return-value]  # views are kept under their own class

    def __contains__(self, key: type[OptionSet]) -> bool:
        """Tell whether the system has an option set."""
        return key in self._engine.available

    def sets(self) -> tuple[type[OptionSet], ...]:
        """Option sets of the system, built-in ones first."""
        return tuple(self._engine.available)

    def extend(self, modules: Iterable[ModuleLike]) -> Config:
        """Evaluate again with more modules; this config stays as it is."""
        from holdfast.options.evaluation import evaluate

        again = self._again
        return evaluate((*again.modules, *modules), sets=again.sets, kind=again.kind, given=again.given)

    def verify(self) -> tuple[str, ...]:
        """Resolve every defined option and check the assertions; return the warnings.

        Raises :class:`HoldfastError` telling everything that is wrong, not only the first thing.
        """
        from holdfast.options.whole import verify

        return verify(self._engine)

    def data(self) -> dict[str, Any]:
        """Everything that has a value, as plain data for JSON: sets, entries, options."""
        from holdfast.options.whole import data

        return data(self._engine)

    def places(self) -> dict[str, tuple[tuple[str, int], ...]]:
        """File and line of each definition that wins, by the path of its option as people write it.

        Kept beside what is made of the config, never in it: moving a line must not change that.
        """
        from holdfast.options.whole import places

        return places(self._engine)

    def explain(self, path: tuple[str, ...] | str) -> Explanation:
        """Tell each definition of an option, and why it won or lost. Raises :class:`HoldfastError` for no such option."""
        from holdfast.options.explain import explain

        return explain(self._engine, path)


class Again:
    """What an evaluation was started with."""

    __slots__ = ("given", "kind", "modules", "sets")

    def __init__(
        self,
        modules: tuple[ModuleLike, ...],
        sets: tuple[type[OptionSet], ...],
        kind: str | None,
        given: tuple[object, ...],
    ) -> None:
        self.modules = modules
        self.sets = sets
        self.kind = kind
        self.given = given


class NodeView:
    """State of an option set in a resolved config."""

    __slots__ = ("engine", "node")

    def __init__(self, engine: Engine, node: Node) -> None:
        self.engine = engine
        self.node = node

    def read(self, option: Option[Any, Any]) -> Any:
        """Value of an option."""
        slot = self.node.slots.get(option.name)
        if slot is None:
            if option.forward is not None:
                target, node = self.engine.recorder.forwarded(option, self.node)
                return NodeView(self.engine, node).read(target)
            if option.constant is not UNSET:
                return option.constant
            slot = self.node.slot(option)
        value = slot.value
        if value is UNSET or value is BUSY:
            return self.engine.force(slot)
        return value

    def write(self, cls: type[OptionSet], name: str, value: object, frame: FrameType) -> None:
        """Refuse."""
        raise read_only(frame, (*self.node.path(), name))

    def unknown(self, cls: type[OptionSet], name: str, frame: FrameType) -> Exception:
        """Error of a name the set does not have."""
        return unknown_option(cls, name, frame)

    def no_truth(self, frame: FrameType) -> Exception:
        """Error of asking whether an option set is true."""
        place = format_place(frame.f_code, frame.f_lasti)
        return HoldfastError(
            f"{place}: an option set is neither true nor false.", resolution="Ask one of its options."
        )

    def extension(self, cls: type[S]) -> S:
        """View of a set that extends this one."""
        frame = frame_at(2)
        check_extends(cls, self.node.cls, (frame.f_code, frame.f_lasti))
        if cls not in self.engine.available:
            raise missing_set(cls, f"{format_place(frame.f_code, frame.f_lasti)}: ")
        return self.engine.view(self.node.extension(cls))  # type: ignore[return-value]  # its own class


class AttrsView:
    """State of a mapping in a resolved config."""

    __slots__ = ("engine", "order", "slot")

    def __init__(self, engine: Engine, slot: Slot) -> None:
        self.engine = engine
        self.slot = slot
        self.order: list[str] | None = None

    def contains(self, key: object, frame: FrameType) -> bool:
        """Tell whether there is such an entry; only its own conditions are evaluated."""
        entry = (self.slot.entries or {}).get(key)  # type: ignore[call-overload]
        return entry is not None and (entry.present is True or self.engine.active(entry))

    def keys(self, frame: FrameType) -> list[str]:
        """Keys of the entries that exist, sorted."""
        if self.order is None:
            active = self.engine.active
            entries = self.slot.entries or {}
            self.order = sorted(
                key for key, entry in entries.items() if entry.present is True or active(entry)
            )
        return self.order

    def item(self, key: str, frame: FrameType) -> Any:
        """Value of an entry."""
        entry = (self.slot.entries or {}).get(key)
        if entry is None or not (entry.present is True or self.engine.active(entry)):
            from holdfast.options.words import unknown_key

            raise unknown_key(self.engine, self.slot, key, self.keys(frame), frame)
        value = entry.value
        if value is UNSET or value is BUSY:
            return self.engine.force(entry)
        return value

    def write(self, key: str, value: object, frame: FrameType) -> None:
        """Refuse."""
        raise read_only(frame, (*self.slot.path(), key))

    def add(self, key: str, frame: FrameType) -> Any:
        """Refuse."""
        raise read_only(frame, (*self.slot.path(), key))

    def record_each(self, keys: object, body: object, frame: FrameType) -> None:
        """Refuse."""
        raise read_only(frame, self.slot.path())


def read_only(frame: FrameType, path: tuple[str, ...]) -> HoldfastError:
    """Error of writing through a read view."""
    from holdfast.options.paths import format_path

    return HoldfastError(
        f"{format_place(frame.f_code, frame.f_lasti)}: {format_path(path)} cannot be assigned here: a resolved config is "
        "read-only.",
        resolution="Define it in a module, through `m`; in `lazy(lambda c: ...)` and `m.when(lambda c: ...)` only read.",
    )
