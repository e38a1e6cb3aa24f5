"""What lies below mappings and submodules: whole values and each() handed to the entries they are about."""

from __future__ import annotations

from holdfast.options.attrs import bind_attrs
from holdfast.options.record import Sink
from holdfast.options.tree import UNSET, Branch, Slot
from holdfast.options.types import Mismatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.options.attrs import Attrs
    from holdfast.options.declare import OptionSet
    from holdfast.options.definition import Recorded
    from holdfast.options.engine import Engine
    from holdfast.options.types import Values


def attrs_at(engine: Engine, slot: Slot, whole: list[tuple[str, Recorded]]) -> Attrs[Any, Any]:
    """Mapping of a slot, with the keys of whole-value definitions and of each() handed to the entries."""
    from holdfast.options.config import AttrsView

    ran = slot.ran if slot.ran is not None else []
    for definition in slot.each or ():
        if _among(definition, ran) or not (
            definition[1] is None or engine.holds(definition[1], slot, definition)
        ):
            continue
        slot.doing = definition
        made: Any = definition[0]
        keys, body = made
        names: Any = engine.run((keys, None, 0, 0, definition[4], definition[5]), slot)
        sink = Sink(engine.recorder)
        try:
            for key in names:
                if type(key) is not str:
                    raise Mismatch(key, definition, expected="strings as keys")
                entry = slot.entry(key)
                entry.present = UNSET
                body(sink.at(entry), key)
        except Exception as error:
            raise engine.failed(error, slot, "each() of")  # noqa: B904 - failed() sets the cause
        sink.closed = True
        slot.ran = ran = [*ran, definition]
    for key, definition in whole:
        entry = slot.entry(key)
        entry.defs.append(definition)
        entry.present = True
    return bind_attrs(AttrsView(engine, slot))


def submodule_at(engine: Engine, slot: Slot, cls: type[OptionSet], values: Values) -> Any:
    """View of a submodule, after its whole-value functions have recorded into it."""
    node = slot.below(cls)
    ran = slot.ran if slot.ran is not None else []
    for function, definition in values:
        if _among(definition, ran):
            continue
        sink = Sink(engine.recorder)
        slot.doing = definition
        record: Any = function
        try:
            record(sink.set_at(node, cls))
        except Exception as error:
            raise engine.failed(error, slot, "submodule function of")  # noqa: B904 - failed() sets the cause
        sink.closed = True
        slot.ran = ran = [*ran, definition]
    return engine.view(node)


def _among(definition: Recorded, ran: list[Recorded]) -> bool:
    return any([one is definition for one in ran])  # by identity: equality would compare the author's values


def drop_below(slot: Slot) -> None:
    """Put aside what a stronger definition of the whole value replaces."""
    aside = Branch(slot.parent, slot.name, slot.type, slot.option)
    aside.entries, aside.node, aside.each = slot.entries, slot.node, slot.each
    slot.dropped = aside
    slot.entries = slot.node = slot.each = None
