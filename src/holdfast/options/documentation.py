"""The options themselves as data: what the generated reference and ``holdfast options`` are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast.options.definition import Def, Deferred
from holdfast.options.paths import format_path
from holdfast.options.places import line_of
from holdfast.options.tree import UNSET

if TYPE_CHECKING:
    from collections.abc import Iterable

    from holdfast.options.declare import Option, OptionSet
    from holdfast.options.paths import Path
    from holdfast.options.types import Schema, Type


def document(sets: Iterable[type[OptionSet]], *, internal: bool = False) -> list[dict[str, Any]]:
    """One record per option, in the order of their paths: JSON-able, entries of mappings written as ``*``.

    Fields: ``path``, ``set`` and ``option`` (what to import and write), ``type`` (in words), ``schema``, ``default``
    (text, None if there is none), ``example``, ``doc``, ``read_only``, ``internal``, ``declared`` (module, line).
    """
    every = tuple(dict.fromkeys(sets))
    records: list[dict[str, Any]] = []
    for cls in every:
        if cls.__hf_extends__ is None:
            _document(cls, cls.__hf_path__, every, records, internal, ())
    return sorted(records, key=lambda record: str(record["path"]))


def _document(
    cls: type[OptionSet],
    at: Path,
    every: tuple[type[OptionSet], ...],
    records: list[dict[str, Any]],
    internal: bool,
    inside: tuple[type[OptionSet], ...],
) -> None:
    for option in cls.__hf_options__.values():
        if option.internal and not internal:
            continue
        path = (*at, option.label) if option.label else at
        records.append(_record(option, path))
        below, below_path = _below(option.type, path)
        if below is not None and below not in inside:
            _document(below, below_path, every, records, internal, (*inside, below))
    for other in every:
        if other.__hf_extends__ is not None and issubclass(cls, other.__hf_extends__) and other not in inside:
            _document(other, at + other.__hf_path__, every, records, internal, (*inside, other))


def _below(type_: Type[Any, Any], path: Path) -> tuple[type[OptionSet] | None, Path]:
    """Submodule inside a type, with the path of its options."""
    cls: type[OptionSet] | None = None
    while cls is None:
        if type_.structural:
            cls = getattr(type_, "cls", None)
        if cls is not None:
            break
        item: Type[Any, Any] | None = getattr(type_, "item", None)
        if item is None:
            return None, path
        if type_.structural or hasattr(type_, "items"):
            path = (*path, "*")
        type_ = item
    return cls, path


def _record(option: Option[Any, Any], path: Path) -> dict[str, Any]:
    owner = option.owner
    return {
        "path": format_path(path),
        "set": f"{owner.__module__}.{owner.__name__}" if owner is not None else None,
        "option": option.name if option.label else None,
        "type": option.type.words,
        "schema": option.type.schema(),
        "default": default_text(option),
        "example": None if option.example is None else repr(option.example),
        "doc": option.doc,
        "read_only": option.read_only,
        "internal": option.internal,
        "declared": {
            "module": owner.__module__ if owner is not None else None,
            "line": line_of(option.code, option.offset),
        },
    }


def default_text(option: Option[Any, Any]) -> str | None:
    """What an option is when nobody defines it, in words or Python."""
    if option.default_text is not None:
        return option.default_text
    if option.fallback_function is not None:
        return (option.fallback_function.__doc__ or "computed from its other options").strip()
    value = option.default
    if value is UNSET:
        return None
    if isinstance(value, Def):
        value = value.value
    return "computed from other options" if isinstance(value, Deferred) else repr(value)


_inside: list[type[OptionSet]] = []


def schema_of_set(cls: type[OptionSet]) -> Schema:
    """JSON Schema of an option set; one that contains itself is named the second time."""
    if cls in _inside:
        return {"title": cls.__name__}
    _inside.append(cls)
    try:
        options = {name: one for name, one in cls.__hf_options__.items() if one.label and not one.internal}
        return {
            "type": "object",
            "title": cls.__name__,
            "properties": {
                name: one.type.schema() | ({"description": one.doc} if one.doc else {})
                for name, one in options.items()
            },
            "additionalProperties": False,
        }
    finally:
        _inside.pop()
