"""Finding an option by its path in a resolved config, for explain and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.base.errors import HoldfastError
from holdfast.options.paths import format_path, suggest
from holdfast.options.tree import UNSET, Node, Slot

if TYPE_CHECKING:
    from holdfast.options.config import Engine
    from holdfast.options.declare import OptionSet
    from holdfast.options.definition import Anything
    from holdfast.options.paths import Path


def find(engine: Engine, path: Path) -> tuple[Slot | Node, Slot | Node | None]:
    """Find a path in the result, and among what stronger definitions put aside (None if nothing was).

    Where only the latter has it, both are that. Raises :class:`HoldfastError` with a suggestion for no such option.
    """
    found = _find(engine, path, aside=False)
    aside = _find(engine, path, aside=True)
    if aside is found:
        aside = None
    if found is None:
        found = aside
    if found is not None:
        return found, aside
    known = [format_path(cls.__hf_path__) for cls in engine.available if cls.__hf_extends__ is None]
    nearest = _nearest(engine, path) or suggest(format_path(path), known)
    raise HoldfastError(f"there is no option {format_path(path)}.", resolution=nearest)


def _find(engine: Engine, path: Path, *, aside: bool) -> Slot | Node | None:
    """Slot or set at a path; the longest matching set path decides."""
    tops = [
        cls
        for cls in engine.available
        if cls.__hf_extends__ is None and path[: len(cls.__hf_path__)] == cls.__hf_path__
    ]
    for cls in sorted(tops, key=lambda one: -len(one.__hf_path__)):
        node: Anything = engine.config[cls].__hf__.node
        found = _descend(engine, node, path[len(cls.__hf_path__) :], aside)
        if found is not None:
            return found
    return None


def _descend(engine: Engine, node: Node, rest: Path, aside: bool) -> Slot | Node | None:
    if not rest:
        return node.slot(node.cls.__hf_root__) if node.cls.__hf_root__ is not None else node
    root = node.cls.__hf_root__
    if root is not None:
        return _into(engine, node.slot(root), rest, aside)
    for name, option in node.cls.__hf_options__.items():
        if option.label and name == rest[0] and option.forward is None and option.removed is None:
            return _into(engine, node.slot(option), rest[1:], aside)
    for cls in [one for base in node.cls.__mro__ for one in engine.extensions.get(base, ())]:
        length = len(cls.__hf_path__)
        if rest[:length] == cls.__hf_path__:
            found = _descend(engine, node.extension(cls), rest[length:], aside)
            if found is not None:
                return found
    return None


def _into(engine: Engine, slot: Slot, rest: Path, aside: bool) -> Slot | Node | None:
    if not rest:
        return slot
    if not slot.type.structural:
        return None
    try:
        engine.force(slot) if slot.value is UNSET else slot.value
    except HoldfastError:
        pass  # the error is told with the value
    if aside and slot.dropped is not None:
        slot = slot.dropped
    cls = getattr(slot.type, "cls", None)
    if cls is not None:
        return _descend(engine, slot.below(cls), rest, aside)
    entry = (slot.entries or {}).get(rest[0])
    return None if entry is None else _into(engine, entry, rest[1:], aside)


def _nearest(engine: Engine, path: Path) -> str:
    for length in range(len(path) - 1, 0, -1):
        found = _find(engine, path[:length], aside=False)
        if found is not None:
            return suggest(format_path(path[: length + 1]), below(engine, found))
    return ""


def below(engine: Engine, found: Slot | Node) -> tuple[str, ...]:
    """Paths of what lies directly below."""
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
        return below(engine, found.below(cls))
    return ()
