from __future__ import annotations

import enum
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.codec import (
    DecodeError,
    canonical_json,
    decode,
    decode_json,
    encode,
    json_schema,
    json_text,
    pretty_json,
)
from tests.examples import at_most

Name = NewType("Name", str)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Circle:
    kind: Literal["circle"]
    radius: int


@dataclass(frozen=True)
class Square:
    side: int
    kind: Literal["square"] = "square"


@dataclass(frozen=True)
class Inner:
    text: str = ""
    flag: bool = False


@dataclass(frozen=True)
class Outer:
    name: Name
    number: int
    mode: Literal["a", "b"] = "a"
    colour: Colour = Colour.RED
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    table: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    maybe: Optional[int] = None
    shape: Union[Circle, Square, None] = None
    either: int | str = 0


inners = st.builds(Inner, text=st.text(), flag=st.booleans())
outers = st.builds(
    Outer,
    name=st.text().map(Name),
    number=st.integers(),
    mode=st.sampled_from(["a", "b"]),
    colour=st.sampled_from(Colour),
    inner=inners,
    many=st.lists(inners, max_size=3).map(tuple),
    table=st.dictionaries(st.text(), st.lists(st.integers(), max_size=3).map(tuple), max_size=3),
    maybe=st.none() | st.integers(),
    shape=st.none() | st.builds(Circle, st.just("circle"), st.integers()) | st.builds(Square, st.integers()),
    either=st.integers() | st.text(),
)


@at_most(40)
@given(outers)
def test_what_is_written_is_read_back_equal(value: Outer) -> None:
    assert decode_json(Outer, canonical_json(value), what="x") == value
    assert decode_json(Outer, pretty_json(value), what="x") == value
    assert canonical_json(decode_json(Outer, pretty_json(value), what="x")) == canonical_json(value)


scalars = st.sampled_from([None, True, 0, 1.5, "", "a", "circle"])
nested = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "number", "kind", "shape", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@at_most(40)
@given(nested)
def test_any_data_is_read_or_refused_with_its_place_and_never_crashes(data: object) -> None:
    try:
        decode(Outer, data, what="doc")
    except DecodeError as error:
        assert error.brief.startswith("doc")
    else:
        assert isinstance(data, dict) and {"name", "number"} <= data.keys()


def test_the_canonical_form_is_exact() -> None:
    value = Outer(Name("ü"), 2, many=(Inner("x"), Inner()), table={"b": (), "a": (1, 2)}, shape=Square(3))
    assert (
        canonical_json(value)
        == (
            '{"many":[{"text":"x"},{}],"name":"ü","number":2,'
            '"shape":{"kind":"square","side":3},"table":{"a":[1,2],"b":[]}}'
        ).encode()
    )
    assert pretty_json(Inner("x")) == b'{\n "text": "x"\n}\n'
    assert encode(Inner(flag=True)) == {"flag": True}


GOOD: dict[str, object] = {"name": "n", "number": 1}
BAD: dict[str, tuple[object, str]] = {
    "not an object": ([], "doc must be an object, not []"),
    "missing": ({"name": "n"}, "doc lacks the field 'number'"),
    "unknown": ({**GOOD, "nmae": 1}, "doc has an unknown field 'nmae'"),
    "bool for int": ({**GOOD, "number": True}, "doc.number must be an integer, not true"),
    "float for int": ({**GOOD, "number": 1.5}, "doc.number must be an integer, not 1.5"),
    "int for str": ({**GOOD, "name": 1}, "doc.name must be a string, not 1"),
    "int for bool": ({**GOOD, "inner": {"flag": 1}}, "doc.inner.flag must be true or false, not 1"),
    "literal": ({**GOOD, "mode": "c"}, "doc.mode must be 'a' or 'b', not \"c\""),
    "enum": ({**GOOD, "colour": "green"}, "doc.colour must be 'red' or 'blue', not \"green\""),
    "place in a list": ({**GOOD, "many": [{}, {"text": 3}]}, "doc.many[1].text must be a string, not 3"),
    "string for list": ({**GOOD, "many": "abc"}, 'doc.many must be a list, not "abc"'),
    "place in a mapping": ({**GOOD, "table": {"k": [1, "x"]}}, "doc.table.k[1] must be an integer"),
    "list for mapping": ({**GOOD, "table": []}, "doc.table must be an object, not []"),
    "union without kind": (
        {**GOOD, "shape": {"side": 1}},
        "doc.shape.kind must be 'circle' or 'square', not null",
    ),
    "union of another kind": (
        {**GOOD, "shape": {"kind": "line"}},
        "doc.shape.kind must be 'circle' or 'square'",
    ),
    "union of unhashable kind": (
        {**GOOD, "shape": {"kind": []}},
        "doc.shape.kind must be 'circle' or 'square'",
    ),
    "wrong field of the kind": (
        {**GOOD, "shape": {"kind": "circle", "side": 1}},
        "doc.shape lacks the field 'radius'",
    ),
    "neither of a union": ({**GOOD, "either": None}, "doc.either has an unexpected type: null"),
    "null for optional's other": ({**GOOD, "maybe": "x"}, "doc.maybe must be an integer"),
    "long values are shortened": ({**GOOD, "number": "x" * 100}, "xxx..."),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_with_its_place(case: str) -> None:
    data, expected = BAD[case]
    with pytest.raises(DecodeError) as caught:
        decode(Outer, data, what="doc")
    assert expected in caught.value.brief


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"a":1}x', b"[" * 100_000])
def test_text_that_is_no_json_is_refused(text: bytes) -> None:
    with pytest.raises(DecodeError, match="doc is not valid JSON"):
        decode_json(Outer, text, what="doc")


@pytest.mark.parametrize("value", [1.5, b"bytes", {1, 2}, object()])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="has no canonical JSON"):
        canonical_json([value])


def matches(schema: Mapping[str, object], data: object, root: Mapping[str, object]) -> bool:
    """As much of JSON Schema as the codec writes."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        definitions = root["$defs"]
        assert isinstance(definitions, dict)
        return matches(definitions[name], data, root)
    if "anyOf" in schema:
        options = schema["anyOf"]
        assert isinstance(options, list)
        return any(matches(option, data, root) for option in options)
    if "enum" in schema:
        values = schema["enum"]
        assert isinstance(values, list)
        return data in values
    kinds: dict[object, Callable[[], bool]] = {
        "null": lambda: data is None,
        "boolean": lambda: isinstance(data, bool),
        "integer": lambda: isinstance(data, int) and not isinstance(data, bool),
        "string": lambda: isinstance(data, str),
        "array": lambda: (
            isinstance(data, list) and all(matches(_object(schema["items"]), item, root) for item in data)
        ),
        "object": lambda: isinstance(data, dict) and _matches_object(schema, data, root),
    }
    return kinds[schema["type"]]()


def _object(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value


def _matches_object(
    schema: Mapping[str, object], data: dict[str, object], root: Mapping[str, object]
) -> bool:
    if "properties" not in schema:
        return all(matches(_object(schema["additionalProperties"]), item, root) for item in data.values())
    properties, required = _object(schema["properties"]), schema["required"]
    assert isinstance(required, list)
    known = all(name in properties for name in data) and all(name in data for name in required)
    return known and all(matches(_object(properties[name]), item, root) for name, item in data.items())


@at_most(40)
@given(outers)
def test_the_schema_admits_what_is_written(value: Outer) -> None:
    schema = json_schema(Outer, title="outer")
    assert matches(schema, json.loads(canonical_json(value)), schema)


@pytest.mark.parametrize("case", [case for case in BAD if case != "long values are shortened"])
def test_the_schema_refuses_what_is_refused(case: str) -> None:
    schema = json_schema(Outer, title="outer")
    assert matches(schema, GOOD, schema)
    assert not matches(schema, BAD[case][0], schema)


def test_the_schema_names_its_draft_and_title() -> None:
    schema = json_schema(Outer, title="An outer thing")
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "An outer thing"
    json.dumps(schema)


@pytest.mark.parametrize("dumps", [canonical_json, pretty_json])
def test_what_is_no_utf8_is_still_json(dumps: Callable[[object], bytes]) -> None:
    name = os.fsdecode(b"J\xfcrgen \xc3\xbc \\ ")
    data = dumps({name: name})
    assert json.loads(data) == {name: name}
    assert json.loads(data.decode()) == {name: name}  # it is UTF-8 itself


def test_half_a_character_does_not_keep_a_result_from_being_written() -> None:
    """A name of a file that is not UTF-8, or what a machine says of itself."""
    assert json_text({"b": "é", "a": 1}) == '{\n  "a": 1,\n  "b": "é"\n}'
    text = json_text({"a": "é\udcff"})
    assert json.loads(text.encode()) == {"a": "é\udcff"}
