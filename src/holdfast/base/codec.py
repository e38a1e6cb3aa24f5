"""The one codec between frozen dataclasses and JSON, and the JSON Schema of the same types.

Supported field types: ``str``, ``int``, ``bool``, ``None``, ``Literal`` of strings, ``Enum`` with string values, dataclasses,
``tuple[T, ...]``, ``Mapping[str, T]``, unions with ``None``, and unions of dataclasses told apart by a ``kind`` field
of type ``Literal``. A ``NewType`` counts as what it wraps. Floats are not supported: their text is not canonical.

Canonical form (:func:`canonical_json`): keys sorted, no spaces, UTF-8 (what is none is escaped), one trailing newline absent. A field that equals its
default is left out, so that adding a field with a default changes no digest.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from holdfast.base.errors import HoldfastError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T")
JSON = Union[None, bool, int, str, "list[JSON]", "dict[str, JSON]"]


class DecodeError(HoldfastError):
    """Data does not have the shape of the type it is read as. ``brief`` names the place as a dotted path."""


def canonical_json(value: object) -> bytes:
    """Canonical JSON of a dataclass, or of already plain data."""
    return _utf8(json.dumps(encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False))


def pretty_json(value: object) -> bytes:
    """The same data for people and version control: keys sorted, indented, newline at the end."""
    return _utf8(json.dumps(encode(value), sort_keys=True, indent=1, ensure_ascii=False) + "\n")


def _utf8(text: str) -> bytes:
    """Names and texts of a machine need not be UTF-8: the lone surrogates that Python has for such bytes are escaped, as JSON can."""
    return text.encode("utf-8", "backslashreplace")


def json_text(value: JSON) -> str:
    """Plain data for whoever reads our output: keys sorted, indented, without a newline at the end. Half a surrogate pair, such as a
    name of a file that is not UTF-8, makes it ASCII: it cannot be written otherwise.
    """
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, sort_keys=True, indent=2)
    return text


def every_field(value: DataclassInstance) -> dict[str, JSON]:
    """A dataclass of plain data as an object that always has the same keys, those with nothing to say too: programs look for them."""
    return cast("dict[str, JSON]", dataclasses.asdict(value))


def encode(value: object) -> JSON:
    """Plain data of ``value``; fields that equal their default are left out (``kind`` never is)."""
    if isinstance(value, enum.Enum):
        return str(value.value)
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in cast("tuple[object, ...]", value)]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in cast("Mapping[object, object]", value).items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        made: dict[str, JSON] = {}
        for name, default in _defaults(type(value)):
            item = getattr(value, name)
            if name == "kind" or default is dataclasses.MISSING or item != default:
                made[name] = encode(item)
        return made
    raise TypeError(f"{type(value).__name__} has no canonical JSON")


def decode(cls: type[T], data: object, *, what: str) -> T:
    """Read plain data as ``cls``. ``what`` names the document in errors (``holdfast.lock``).

    Raises:
        DecodeError: a field is missing, unknown or of another type.
    """
    try:
        return cast("T", _reader(cls)(data))
    except _Misfit as misfit:
        raise DecodeError(f"{what}{misfit.place} {misfit.reason}") from None


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


_Reader = Callable[[object], object]
"""Makes the value of one type out of plain data, or raises :class:`_Misfit`."""


class _Misfit(Exception):
    """Data does not fit. The place is put together on the way out, so that data that fits pays nothing for it."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.place = place

    def below(self, place: str) -> _Misfit:
        """The same one level further up."""
        self.place = place + self.place
        return self


def _reader(hint: Any) -> _Reader:  # Any: a type form has no static type yet (PEP 747)
    """The reader of a type, made once: to take a type to pieces takes longer than to read a value of it."""
    known = _READERS.get(hint)
    if known is None:
        known = _READERS[hint] = _make_reader(getattr(hint, "__supertype__", hint))
    return known


def _make_reader(hint: Any) -> _Reader:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union_reader(arguments)
    if origin is Literal:
        return _choice_reader({value: value for value in arguments})
    if origin is tuple:
        return _list_reader(_reader(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_reader(_reader(arguments[1]))
    if hint in _SCALARS:
        return _scalar_reader(*_SCALARS[hint])
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _choice_reader({member.value: member for member in hint})
    return _dataclass_reader(cast("type[object]", hint))


def _scalar_reader(fits: Callable[[object], bool], wanted: str) -> _Reader:
    def read(data: object) -> object:
        if fits(data):
            return data
        raise _mismatch(wanted, data)

    return read


def _is_int(data: object) -> bool:
    return isinstance(data, int) and not isinstance(data, bool)


def _choice_reader(choices: Mapping[object, object]) -> _Reader:
    wanted = " or ".join(map(repr, choices))

    def read(data: object) -> object:
        if isinstance(data, str) and data in choices:
            return choices[data]
        raise _mismatch(wanted, data)

    return read


def _list_reader(element: _Reader) -> _Reader:
    def read(data: object) -> object:
        if not isinstance(data, list):
            raise _mismatch("a list", data)
        made: list[object] = []
        for item in cast("list[object]", data):
            try:
                made.append(element(item))
            except _Misfit as misfit:
                raise misfit.below(f"[{len(made)}]") from None
        return tuple(made)

    return read


def _mapping_reader(element: _Reader) -> _Reader:
    def read(data: object) -> object:
        if not isinstance(data, dict):
            raise _mismatch("an object", data)
        made: dict[str, object] = {}
        for key, item in cast("dict[str, object]", data).items():
            try:
                made[key] = element(item)
            except _Misfit as misfit:
                raise misfit.below(f".{key}") from None
        return made

    return read


def _union_reader(options: tuple[Any, ...]) -> _Reader:
    nullable = type(None) in options
    rest = [option for option in options if option is not type(None)]
    if len(rest) == 1:
        read_some = _reader(rest[0])
    elif all(dataclasses.is_dataclass(option) for option in rest):
        read_some = _kinds_reader(rest)
    else:
        read_some = _first_reader([_reader(option) for option in rest])
    return (lambda data: None if data is None else read_some(data)) if nullable else read_some


def _kinds_reader(options: list[Any]) -> _Reader:
    readers: dict[object, _Reader] = {}

    def read(data: object) -> object:
        if not readers:  # only now: the options may not be wholly defined when the union is
            readers.update((_kind(option), _reader(option)) for option in options)
        if not isinstance(data, dict):
            raise _mismatch("an object", data)
        kind = cast("dict[str, object]", data).get("kind")
        if not isinstance(kind, str) or kind not in readers:
            raise _mismatch(" or ".join(map(repr, readers)), kind, ".kind")
        return readers[kind](cast("object", data))

    return read


def _first_reader(readers: list[_Reader]) -> _Reader:
    def read(data: object) -> object:
        for reader in readers:
            try:
                return reader(data)
            except _Misfit:
                continue
        raise _Misfit(f"has an unexpected type: {_excerpt(data)}")

    return read


def _dataclass_reader(cls: type[object]) -> _Reader:
    fields: list[tuple[str, _Reader, bool]] = []

    def read(data: object) -> object:
        if not isinstance(data, dict):
            raise _mismatch("an object", data)
        if not fields:  # only now: a type may name itself
            fields.extend(
                (name, _reader(hint), default is dataclasses.MISSING) for name, hint, default in _fields(cls)
            )
        given = cast("dict[str, object]", data)
        values: dict[str, object] = {}
        for name, reader, required in fields:
            if name in given:
                try:
                    values[name] = reader(given[name])
                except _Misfit as misfit:
                    raise misfit.below(f".{name}") from None
            elif required:
                raise _Misfit(f"lacks the field {name!r}")
        if len(values) != len(given):
            raise _Misfit(f"has an unknown field {min(given.keys() - values.keys())!r}")
        return cls(**values)

    return read


def _mismatch(wanted: str, data: object, place: str = "") -> _Misfit:
    return _Misfit(f"must be {wanted}, not {_excerpt(data)}", place)


_READERS: dict[Any, _Reader] = {}
_SCALARS: Mapping[object, tuple[Callable[[object], bool], str]] = {
    type(None): (lambda data: data is None, "null"),
    None: (lambda data: data is None, "null"),
    bool: (lambda data: isinstance(data, bool), "true or false"),
    int: (_is_int, "an integer"),
    str: (lambda data: isinstance(data, str), "a string"),
}


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
