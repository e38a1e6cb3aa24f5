"""The one codec between frozen dataclasses and JSON, and the JSON Schema of the same types.

Supported field types: ``str``, ``int``, ``bool``, ``None``, ``Literal`` of strings, ``Enum`` with string values, dataclasses,
``tuple[T, ...]``, ``Mapping[str, T]``, unions with ``None``, and unions of dataclasses told apart by a ``kind`` field
of type ``Literal``. A ``NewType`` counts as what it wraps. Floats are not supported: their text is not canonical.

Canonical form (:func:`canonical_json`): keys sorted, no spaces, UTF-8, one trailing newline absent. A field that equals its
default is left out, so that adding a field with a default changes no digest.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from holdfast.base.errors import HoldfastError

T = TypeVar("T")
JSON = Union[None, bool, int, str, "list[JSON]", "dict[str, JSON]"]


class DecodeError(HoldfastError):
    """Data does not have the shape of the type it is read as. ``brief`` names the place as a dotted path."""


def canonical_json(value: object) -> bytes:
    """Canonical JSON of a dataclass, or of already plain data."""
    return json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def pretty_json(value: object) -> bytes:
    """The same data for people and version control: keys sorted, indented, newline at the end."""
    return (json.dumps(encode(value), sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()


def encode(value: object) -> JSON:
    """Plain data of ``value``; fields that equal their default are left out (``kind`` never is)."""
    if isinstance(value, enum.Enum):
        return str(value.value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in cast("tuple[object, ...]", value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            name: encode(getattr(value, name))
            for name, default in _defaults(type(value))
            if name == "kind" or default is dataclasses.MISSING or getattr(value, name) != default
        }
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


def decode(cls: type[T], data: object, *, what: str) -> T:
    """Read plain data as ``cls``. ``what`` names the document in errors (``holdfast.lock``).

    Raises:
        DecodeError: a field is missing, unknown or of another type.
    """
    return cast("T", _decode(cls, data, what))


def decode_json(cls: type[T], text: bytes, *, what: str) -> T:
    """:func:`decode` of JSON text.

    Raises:
        DecodeError: also when ``text`` is not JSON.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"{what} is not valid JSON: {error}") from None
    return decode(cls, data, what=what)


def _decode(
    hint: Any, data: object, where: str
) -> object:  # Any: a type form has no static type yet (PEP 747)
    hint = getattr(hint, "__supertype__", hint)
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _decode_union(get_args(hint), data, where)
    if origin is Literal:
        return _expect(data in get_args(hint), data, where, " or ".join(map(repr, get_args(hint))))
    if origin is tuple:
        _expect(isinstance(data, list), data, where, "a list")
        element = get_args(hint)[0]
        return tuple(
            _decode(element, item, f"{where}[{index}]")
            for index, item in enumerate(cast("list[object]", data))
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _expect(isinstance(data, dict), data, where, "an object")
        element = get_args(hint)[1]
        pairs = cast("dict[str, object]", data).items()
        return {key: _decode(element, item, f"{where}.{key}") for key, item in pairs}
    if hint is type(None) or hint is None:
        return _expect(data is None, data, where, "null")
    if hint is bool:
        return _expect(isinstance(data, bool), data, where, "true or false")
    if hint is int:
        return _expect(isinstance(data, int) and not isinstance(data, bool), data, where, "an integer")
    if hint is str:
        return _expect(isinstance(data, str), data, where, "a string")
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        values = [member.value for member in hint]
        _expect(data in values, data, where, " or ".join(map(repr, values)))
        return hint(data)
    return _decode_dataclass(cast("type[object]", hint), data, where)


def _decode_union(options: tuple[Any, ...], data: object, where: str) -> object:
    if data is None and type(None) in options:
        return None
    rest = [option for option in options if option is not type(None)]
    if len(rest) == 1:
        return _decode(rest[0], data, where)
    if not all(dataclasses.is_dataclass(option) for option in rest):
        for option in rest:
            try:
                return _decode(option, data, where)
            except DecodeError:
                continue
        raise DecodeError(f"{where} has an unexpected type: {_excerpt(data)}")
    by_kind = {_kind(option): option for option in rest}
    _expect(isinstance(data, dict), data, where, "an object")
    kind = cast("dict[str, object]", data).get("kind")
    _expect(isinstance(kind, str) and kind in by_kind, kind, f"{where}.kind", " or ".join(map(repr, by_kind)))
    return _decode(by_kind[cast("str", kind)], data, where)


def _decode_dataclass(cls: type[T], data: object, where: str) -> T:
    _expect(isinstance(data, dict), data, where, "an object")
    remaining = dict(cast("dict[str, object]", data))
    values: dict[str, object] = {}
    for name, hint, default in _fields(cls):
        if name in remaining:
            values[name] = _decode(hint, remaining.pop(name), f"{where}.{name}")
        elif default is dataclasses.MISSING:
            raise DecodeError(f"{where} lacks the field {name!r}")
    if remaining:
        raise DecodeError(f"{where} has an unknown field {min(remaining)!r}")
    return cls(**values)


def _defaults(cls: type[Any]) -> tuple[tuple[str, object], ...]:
    """Name and default of each field, looked up once per class. Writing needs no more, and types take ten times as long."""
    known = _DEFAULTS.get(cls)
    if known is None:
        known = _DEFAULTS[cls] = tuple(
            (
                field.name,
                field.default if field.default_factory is dataclasses.MISSING else field.default_factory(),
            )
            for field in dataclasses.fields(cls)
        )
    return known


def _fields(cls: type[Any]) -> tuple[tuple[str, Any, object], ...]:
    """Name, type and default of each field, looked up once per class."""
    known = _FIELDS.get(cls)
    if known is None:
        hints = get_type_hints(cls)
        known = _FIELDS[cls] = tuple((name, hints[name], default) for name, default in _defaults(cls))
    return known


_DEFAULTS: dict[type[Any], tuple[tuple[str, object], ...]] = {}
_FIELDS: dict[type[Any], tuple[tuple[str, Any, object], ...]] = {}


def _kind(cls: type[Any]) -> str:
    return str(get_args({name: hint for name, hint, _ in _fields(cls)}["kind"])[0])


def _expect(holds: bool, data: object, where: str, wanted: str) -> object:
    if not holds:
        raise DecodeError(f"{where} must be {wanted}, not {_excerpt(data)}")
    return data


def _excerpt(data: object) -> str:
    text = json.dumps(data, ensure_ascii=False, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


def json_schema(cls: type[Any], *, title: str) -> dict[str, JSON]:
    """The JSON Schema (draft 2020-12) of what :func:`encode` writes for ``cls``."""
    definitions: dict[str, JSON] = {}
    root = _schema(cls, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "$defs": definitions,
        **root,
    }


def _schema(hint: Any, definitions: dict[str, JSON]) -> dict[str, JSON]:
    hint = getattr(hint, "__supertype__", hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_schema(option, definitions) for option in arguments]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], definitions)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], definitions)}
    simple = {type(None): "null", bool: "boolean", int: "integer", str: "string"}
    if hint in simple:
        return {"type": simple[hint]}
    if issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    if hint.__name__ not in definitions:
        definitions[hint.__name__] = {}
        fields = _fields(hint)
        definitions[hint.__name__] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: _schema(field, definitions) for name, field, _ in fields},
            "required": [
                name for name, _, default in fields if default is dataclasses.MISSING or name == "kind"
            ],
        }
    return {"$ref": f"#/$defs/{hint.__name__}"}
