"""Each type: what it takes, what it makes of it, what it says to the rest."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from holdfast.options import (
    ARGV,
    BOOL,
    BOOL_OR,
    DATA,
    INT,
    LINES,
    LOCAL_FILE,
    PATH,
    PORT,
    RAW,
    STR,
    UNSIGNED,
    Module,
    OptionSet,
    Type,
    attrs_of,
    between,
    coerced,
    either,
    enum_of,
    evaluate,
    force,
    instance_of,
    list_of,
    matching,
    null_or,
    one_of,
    option,
    separated,
    set_of,
    submodule,
    tagged,
    unique,
)
from tests.options.samples import merged, told


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Rule:
    port: int


class Point(OptionSet):
    x = option(INT, default=0)
    y = option(INT, default=0)


def at_x(point: Point) -> None:
    point.x = 1


def at_y(point: Point) -> None:
    point.y = 2


SOMETHING = object()

MERGES: list[tuple[Type[Any, Any], tuple[Any, ...], Any]] = [
    (BOOL, (True,), True),
    (BOOL, (False, False), False),
    (BOOL_OR, (False, True, False), True),
    (BOOL_OR, (False,), False),
    (INT, (3, 3), 3),
    (UNSIGNED, (0,), 0),
    (STR, ("a", "a"), "a"),
    (LINES, ("a",), "a"),
    (LINES, ("a", "b\n", "c"), "a\nb\nc"),
    (LINES, ("", "b"), "b"),
    (separated(","), ("a", "b"), "a,b"),
    (one_of("a", "b"), ("b", "b"), "b"),
    (enum_of(Colour), (Colour.RED,), Colour.RED),
    (PORT, (65535,), 65535),
    (between(-1, 1), (-1,), -1),
    (matching("[a-z]+", "lower-case letters"), ("abc",), "abc"),
    (PATH, ("/etc",), "/etc"),
    (ARGV, (["a", "b"], ("a", "b")), ("a", "b")),
    (list_of(INT), ([1], (2, 3), []), (1, 2, 3)),
    (list_of(INT), (range(3),), (0, 1, 2)),
    (list_of(list_of(STR)), ([["a"]], [[], ["b", "c"]]), (("a",), (), ("b", "c"))),
    (set_of(STR), (["a", "b"], {"b", "c"}), frozenset("abc")),
    (null_or(INT), (None, None), None),
    (null_or(INT), (3, 3), 3),
    (null_or(list_of(INT)), ([1], [2]), (1, 2)),
    (either(INT, STR), ("a", "a"), "a"),
    (either(INT, list_of(INT)), ([1], [2]), (1, 2)),
    (INT | STR | BOOL, (True,), True),
    (unique(list_of(INT)), ([1],), (1,)),
    (coerced(INT, str, STR), (3, "3"), "3"),
    (coerced(STR, lambda text: [text], list_of(STR)), ("a", ["b"]), ("a", "b")),
    (list_of(coerced(INT, str, STR)), ([1, "b"],), ("1", "b")),
    (instance_of(Rule), (Rule(1), Rule(1)), Rule(1)),
    (RAW, (SOMETHING,), SOMETHING),
    (tagged(number=INT, words=list_of(STR)), ({"words": ["a"]}, {"words": ["b"]}), ("words", ("a", "b"))),
    (DATA, ({"a": {"b": [1]}}, {"a": {"b": [2], "c": None}}), {"a": {"b": (1, 2), "c": None}}),
    (DATA, (1.5, 1.5), 1.5),
]

REFUSALS: list[tuple[Type[Any, Any], tuple[Any, ...], list[str]]] = [
    (BOOL, ("yes",), ["takes true or false", "str 'yes'", "Write True or False."]),
    (BOOL, (1,), ["int 1"]),
    (BOOL, (True, False), ["2 definitions that conflict", ": True", ": False", "force(...)"]),
    (INT, (True,), ["an integer, not bool True"]),
    (INT, (1.0,), ["float 1.0"]),
    (INT, ("3",), ["without quotes"]),
    (UNSIGNED, (-1,), ["not below 0"]),
    (STR, (3,), ["a string", "Write it in quotes."]),
    (STR, (None,), ["NoneType None"]),
    (STR, ("a", "b"), ["conflict"]),
    (LINES, (["a"],), ["lines of text"]),
    (separated(","), (1,), ["joined with ','"]),
    (one_of("low", "high"), ("hihg",), ['one of "low", "high"', "Did you mean `high`?"]),
    (enum_of(Colour), ("red",), ["Colour.RED"]),
    (PORT, (0,), ["from 1 to 65535"]),
    (PORT, (True,), ["from 1 to 65535"]),
    (
        matching("[a-z]+", "lower-case letters", hint="Like `abc`."),
        ("A",),
        ["lower-case letters", "Like `abc`."],
    ),
    (PATH, ("etc",), ["an absolute path", "Start it with `/`."]),
    (ARGV, ("ls -l",), ["a command line", "['ls -l']"]),
    (ARGV, ([],), ["Name at least the program."]),
    (ARGV, (["a"], ["b"]), ["never concatenated"]),
    (ARGV, (["a", 1],), ["item 2", "int 1"]),
    (list_of(STR), ("abc",), ["a list of strings", "Write it as a list: ['abc']."]),
    (list_of(INT), (3,), ["Write it as a list: [3]."]),
    (list_of(INT), ({1: 2},), ["tuple(...)"]),
    (list_of(INT), ((n for n in [1]),), ["tuple(...)"]),
    (list_of(INT), ({1},), ["tuple(...)"]),
    (list_of(INT), ([1, "b"],), ["one.value (item 2) takes an integer", "'b'"]),
    (list_of(list_of(INT)), ([[1], [2, "c"]],), ["(item 2, item 2)"]),
    (set_of(STR), ("abc",), ["a set of strings"]),
    (null_or(INT), (None, 3), ["conflict"]),
    (null_or(INT), ("a",), ["takes an integer", "none or an integer"]),
    (either(INT, STR), (1, "a"), ["different types"]),
    (either(INT, STR), (None,), ["an integer or a string"]),
    (
        unique(list_of(INT), advice="There is one."),
        ([1], [1]),
        ["more than the one it takes", "There is one."],
    ),
    (coerced(STR, int, INT), ("abc",), ["'abc'", "Converting it failed: ValueError"]),
    (matching("(", "broken"), ("x",), ["the merging of one.value failed"]),
    (coerced(INT, str, STR), (None,), ["a string (or an integer, which is converted)"]),
    (instance_of(Rule), (3,), ["an instance of Rule", "Write Rule(...)."]),
    (RAW, (1, 1), ["it takes one"]),
    (tagged(a=INT, b=STR), ({"a": 1}, {"b": "x"}), ["choose different alternatives"]),
    (tagged(a=INT, b=STR), ({"c": 1},), ["exactly one of a (an integer), b (a string)"]),
    (tagged(a=INT, b=STR), ({"a": "x"},), ["an integer"]),
    (DATA, ({"a": 1}, {"a": 2}), ["conflict"]),
    (DATA, ({"a": 1}, {"a": True}), ["conflict"]),
    (DATA, (object(),), ["any data"]),
    (attrs_of(INT), (3,), ["{key: value}"]),
    (attrs_of(INT), ({1: 2},), ["(key) takes a string", "int 1"]),
    (submodule(Point), (3,), ["a function that records a Point"]),
]


@pytest.mark.parametrize(("type_", "values", "expected"), MERGES)
def test_merges(type_: Type[Any, Any], values: tuple[Any, ...], expected: Any) -> None:
    result = merged(type_, *values)
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(("type_", "values", "phrases"), REFUSALS)
def test_refuses(type_: Type[Any, Any], values: tuple[Any, ...], phrases: list[str]) -> None:
    message = told(lambda: merged(type_, *values))
    assert "one.value" in message
    assert "samples.py:" in message or "merging of" in message
    for phrase in phrases:
        assert phrase in message


def test_mapping_merges_by_key_and_reads_sorted() -> None:
    entries = merged(attrs_of(list_of(INT)), {"b": [1]}, {"a": [2], "b": [3]})
    assert dict(entries) == {"a": (2,), "b": (1, 3)}
    assert list(entries) == ["a", "b"]
    assert entries.get("c") is None
    assert entries.get("c", 0) == 0


def test_key_of_a_whole_mapping_may_have_a_priority() -> None:
    assert dict(merged(attrs_of(INT), {"a": force(1), "b": 1}, {"a": 2})) == {"a": 1, "b": 1}


def test_submodule_values_are_functions() -> None:
    point = merged(submodule(Point), at_x, at_y)
    assert (point.x, point.y) == (1, 2)
    points = merged(list_of(submodule(Point)), [at_x], [at_y])
    assert [(one.x, one.y) for one in points] == [(1, 0), (0, 2)]
    assert merged(null_or(submodule(Point)), None) is None
    assert merged(null_or(submodule(Point)), at_x).x == 1
    assert merged(either(INT, submodule(Point)), at_y).y == 2
    assert merged(attrs_of(submodule(Point)), {"a": at_x, "b": at_y})["b"].y == 2


def test_local_file_starts_at_the_file_that_wrote_it() -> None:
    here = Path(__file__).parent
    assert merged(LOCAL_FILE, "motd") == str(here / "motd")
    assert merged(LOCAL_FILE, Path("sub") / ".." / "motd") == str(here / "motd")
    assert merged(LOCAL_FILE, "/etc/motd") == "/etc/motd"
    assert "a file beside the definition" in told(lambda: merged(LOCAL_FILE, ""))


@pytest.mark.parametrize(
    ("type_", "empty"),
    [(list_of(INT), ()), (set_of(INT), frozenset()), (null_or(INT), None), (attrs_of(INT), {})],
)
def test_empty_without_definitions(type_: Type[Any, Any], empty: Any) -> None:
    value = merged(type_)
    assert (dict(value) if empty == {} and not isinstance(empty, frozenset) else value) == empty


@pytest.mark.parametrize(
    "type_", [INT, STR, LINES, BOOL, ARGV, RAW, DATA, PORT, unique(STR), either(INT, STR)]
)
def test_needed_but_not_defined(type_: Type[Any, Any]) -> None:
    message = told(lambda: merged(type_))
    assert "one.value" in message
    assert "is needed but not defined" in message
    assert "m[One].value = ..." in message


def test_words_and_schemas() -> None:
    type_ = attrs_of(null_or(list_of(one_of("a", "b"))))
    assert list_of(STR).words == "a list of strings"
    assert attrs_of(list_of(INT)).words == "a mapping from strings to lists of integers"
    assert type_.schema() == {
        "type": "object",
        "additionalProperties": {
            "anyOf": [{"type": "null"}, {"type": "array", "items": {"enum": ["a", "b"]}}]
        },
    }
    assert PORT.schema() == {"type": "integer", "minimum": 1, "maximum": 65535}
    assert enum_of(Colour).schema() == {"enum": ["red", "blue"]}
    assert submodule(Point).schema()["properties"] == {"x": {"type": "integer"}, "y": {"type": "integer"}}


def test_every_type_has_words_and_a_schema() -> None:
    import json

    for type_ in [one for one, *_ in MERGES + REFUSALS]:
        assert type_.words != Type.words
        json.dumps(type_.schema())


def test_apply_and_its_failure() -> None:
    class Applied(OptionSet):
        shout = option(STR, default="a", apply=str.upper)
        broken = option(STR, default="a", apply=lambda text: text[9])

    def nothing(m: Module) -> None:
        m[Applied]

    c = evaluate([nothing], sets=[Applied])
    assert c[Applied].shout == "A"
    assert c[Applied].shout == "A"
    message = told(lambda: c[Applied].broken)
    assert "the apply of applied.broken failed: IndexError" in message
    assert "test_types.py" in message
