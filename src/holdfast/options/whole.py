"""The whole config at once: as plain data, or checked to the last option."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError
from holdfast.options.attrs import Attrs
from holdfast.options.declare import OptionSet
from holdfast.options.diagnostics import Diagnostics
from holdfast.options.engine import Undefined
from holdfast.options.paths import format_path
from holdfast.options.places import format_place, line_of
from holdfast.options.tree import UNSET
from holdfast.options.types import is_mapping, is_plain_sequence, is_plain_set

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from holdfast.options.config import Engine
    from holdfast.options.tree import Node, Slot

_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def data(engine: Engine) -> dict[str, Any]:
    """Everything that has a value, as plain data; options nobody defined are left out."""
    return engine.guard(lambda: _data(engine))


def _data(engine: Engine) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for cls in engine.available:
        if cls is Diagnostics or cls.__hf_extends__ is not None:
            continue
        view: Any = engine.config[cls]
        at = made
        for segment in cls.__hf_path__:
            at = at.setdefault(segment, {})
        at.update(plain(engine, view))
    return made


def plain(engine: Engine, value: Any) -> Any:
    """Plain data of a resolved value."""
    kind: Any = value.__class__
    if kind in _AS_THEY_ARE:
        return value
    if kind is tuple or is_plain_sequence(value):
        return [one if type(one) in _AS_THEY_ARE else plain(engine, one) for one in value]
    if isinstance(value, Attrs):
        return {key: plain(engine, one) for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, OptionSet):
        return _options(engine, value.__hf__.node)
    if is_plain_set(value):
        return sorted(plain(engine, one) for one in value)
    if is_mapping(value):
        return {str(key): plain(engine, one) for key, one in value.items()}
    if hasattr(value, "value") and hasattr(kind, "__members__"):
        return plain(engine, value.value)
    if hasattr(kind, "__dataclass_fields__"):
        return {field: plain(engine, getattr(value, field)) for field in kind.__dataclass_fields__}
    return repr(value)


def _options(engine: Engine, node: Node) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, option in node.cls.__hf_options__.items():
        if option.forward is not None or option.removed is not None:
            continue
        try:
            slot = node.slots.get(name)
            value: Any = option.constant if slot is None else slot.value
            if value is UNSET:
                value = engine.force(slot or node.slot(option))
        except Undefined as error:
            if error.slot is node.slots.get(name):
                continue
            raise
        if option.label:
            made[name] = value if type(value) in _AS_THEY_ARE else plain(engine, value)
        else:
            made.update(plain(engine, value))
    for cls in _extensions(engine, node.cls):
        at = made
        for segment in cls.__hf_path__:
            at = at.setdefault(segment, {})
        at.update(_options(engine, node.extension(cls)))
    return made


def _extensions(engine: Engine, cls: type[OptionSet]) -> list[type[OptionSet]]:
    return [one for base in cls.__mro__ for one in engine.extensions.get(base, ())]


def places(engine: Engine) -> dict[str, tuple[tuple[str, int], ...]]:
    """File and line of each definition that wins, by path."""
    made: dict[str, tuple[tuple[str, int], ...]] = {}

    def walk_slot(slot: Slot) -> None:
        if slot.type.structural:
            engine.force(slot)  # hands whole values and each() to the entries
        if slot.defs:
            found = engine.winners(slot)
            if found:
                made[format_path(slot.path())] = tuple(
                    (one[4].co_filename, line_of(one[4], one[5])) for one in found
                )
        for entry in (slot.entries or {}).values():
            if engine.active(entry):
                walk_slot(entry)
        if slot.node is not None:
            walk_node(slot.node)

    def walk_node(node: Node) -> None:
        for slot in list(node.slots.values()):
            walk_slot(slot)
        for extension in list((node.extensions or {}).values()):
            walk_node(extension)

    def walk() -> None:
        for cls in engine.available:
            if cls is not Diagnostics and cls in engine.nodes:
                walk_node(engine.nodes[cls])

    engine.guard(walk)
    return dict(sorted(made.items()))


def verify(engine: Engine) -> tuple[str, ...]:
    """Resolve everything that is defined, check the assertions, and return the warnings; tell all that is wrong."""
    return engine.guard(lambda: _verify(engine))


def _verify(engine: Engine) -> tuple[str, ...]:
    failures: list[HoldfastError] = []
    for cls in list(engine.available):
        if cls.__hf_extends__ is None:
            view: Any = engine.config[cls]
            _verify_node(engine, view.__hf__.node, failures)
    config = engine.config
    if not failures:
        for assertion in config[Diagnostics].assertions:
            try:
                if assertion.holds(config) is not True:
                    failures.append(HoldfastError(assertion.message))
            except HoldfastError as error:
                failures.append(error)
            except Exception as error:
                code = assertion.holds.__code__
                failures.append(
                    HoldfastError(
                        f"{format_place(code, 0)}: an assertion failed to run: {type(error).__name__}: {error}"
                    )
                )
    if failures:
        raise _together(failures)
    return config[Diagnostics].warnings


def _verify_node(engine: Engine, node: Node, failures: list[HoldfastError]) -> None:
    for option in node.cls.__hf_options__.values():
        if option.forward is None and option.removed is None:
            view: Any = engine.view(node)
            try:
                _verify_value(engine, view.__hf__.read(option), failures)
            except Undefined as error:
                if error.slot is not node.slots.get(option.name):
                    failures.append(error)
            except HoldfastError as error:
                failures.append(error)
    for cls in _extensions(engine, node.cls):
        _verify_node(engine, node.extension(cls), failures)


def _verify_value(engine: Engine, value: Any, failures: list[HoldfastError]) -> None:
    if isinstance(value, OptionSet):
        _verify_node(engine, value.__hf__.node, failures)
    elif isinstance(value, Attrs):
        for key in value:
            try:
                _verify_value(engine, value[key], failures)
            except HoldfastError as error:
                failures.append(error)
    elif is_plain_sequence(value):
        for one in value:
            if isinstance(one, (OptionSet, Attrs, tuple)):
                _verify_value(engine, one, failures)


def _together(failures: list[HoldfastError]) -> HoldfastError:
    distinct = list({str(one): one for one in failures}.values())
    if len(distinct) == 1:
        return distinct[0]
    return HoldfastError(
        f"{len(distinct)} things are wrong with this configuration.",
        details="\n\n".join(str(one) for one in distinct),
    )
