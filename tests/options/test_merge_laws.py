"""Laws of merging, on random definitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.errors import HoldfastError
from holdfast.options import (
    BOOL_OR,
    DATA,
    INT,
    LINES,
    STR,
    Config,
    Def,
    Module,
    OptionSet,
    attrs_of,
    evaluate,
    format_path,
    lazy,
    list_of,
    option,
    order,
    override,
    parse_path,
    set_of,
)
from tests.examples import at_most

BOUNDED = at_most(15)


class Laws(OptionSet, path="laws"):
    items = option(list_of(INT))
    members = option(set_of(INT))
    text = option(LINES, default="")
    flag = option(BOOL_OR, default=False)
    scalar = option(INT, default=0)
    entries = option(attrs_of(list_of(INT)))
    data = option(DATA, default=None)
    word = option(STR, default="none")


class Definition(NamedTuple):
    value: Any
    priority: int = 100
    position: int = 1000
    holds: bool | None = None
    """Condition around it; None: no condition."""
    computed: bool = False


def write(name: str, definitions: Sequence[Definition]) -> Callable[[Module], None]:
    def module(m: Module) -> None:
        for one in definitions:
            kept = one.value
            made: Def[Any] = lazy(lambda c: kept) if one.computed else Def(kept)  # noqa: B023 - copied when recorded
            made = order(one.position, override(one.priority, made))
            if one.holds is None:
                setattr(m[Laws], name, made)
            else:
                truth = one.holds
                with m.when(lambda c: truth):  # noqa: B023 - copied when recorded
                    setattr(m[Laws], name, made)

    return module


def read(name: str, *modules: Callable[[Module], None]) -> Any:
    return getattr(evaluate(modules, sets=[Laws])[Laws], name)


small = st.lists(st.integers(0, 5), max_size=3)


def definitions(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Definition]]:
    return st.lists(
        st.builds(
            Definition,
            values,
            st.sampled_from([50, 100, 1000]),
            st.sampled_from([500, 1000, 1500]),
            st.sampled_from([None, True, False]),
            st.booleans(),
        ),
        max_size=6,
    )


def model(found: Sequence[Definition]) -> list[Definition]:
    """The rule in three lines: conditions, lowest priority number, stable order."""
    live = [one for one in found if one.holds is not False]
    best = min((one.priority for one in live), default=0)
    return sorted((one for one in live if one.priority == best), key=lambda one: one.position)


@BOUNDED
@given(definitions(small))
def test_lists_follow_the_rule(found: list[Definition]) -> None:
    expected = tuple(item for one in model(found) for item in one.value)
    assert read("items", write("items", found)) == expected


@BOUNDED
@given(definitions(st.integers(0, 1)))
def test_scalars_are_equal_or_an_error(found: list[Definition]) -> None:
    values = {one.value for one in model(found)}
    try:
        result = read("scalar", write("scalar", found))
    except HoldfastError as error:
        assert len(values) == 2
        assert "conflict" in error.brief
    else:
        assert values <= {result}
        assert values or result == 0


@BOUNDED
@given(definitions(small), st.randoms())
def test_sets_flags_and_scalars_do_not_depend_on_the_order_of_modules(
    found: list[Definition], random: Any
) -> None:
    shuffled = found[:]
    random.shuffle(shuffled)

    def each(name: str, some: Sequence[Definition]) -> Any:
        return read(name, *[write(name, [one]) for one in some])

    assert each("members", found) == each("members", shuffled)
    flags = [one._replace(value=bool(one.value)) for one in found]
    shuffled_flags = [one._replace(value=bool(one.value)) for one in shuffled]
    assert each("flag", flags) == each("flag", shuffled_flags)


@BOUNDED
@given(st.lists(st.tuples(st.sampled_from("abc"), small), max_size=5), st.randoms())
def test_keys_of_mappings_do_not_depend_on_the_order_of_modules(
    found: list[tuple[str, list[int]]], random: Any
) -> None:
    def module(key: str, value: list[int]) -> Callable[[Module], None]:
        def record(m: Module) -> None:
            m[Laws].entries[key] = value

        return record

    shuffled = found[:]
    random.shuffle(shuffled)
    one = read("entries", *[module(*pair) for pair in found])
    other = read("entries", *[module(*pair) for pair in shuffled])
    assert list(one) == list(other) == sorted({key for key, _ in found})
    assert {key: sorted(value) for key, value in one.items()} == {
        key: sorted(value) for key, value in other.items()
    }


@BOUNDED
@given(st.lists(small, max_size=3), st.lists(small, max_size=3), st.lists(small, max_size=3))
def test_lists_and_text_associate(a: list[list[int]], b: list[list[int]], c: list[list[int]]) -> None:
    def plain(*parts: list[list[int]]) -> list[Definition]:
        return [Definition(value) for part in parts for value in part]

    together = read("items", write("items", plain(a, b, c)))
    left = read(
        "items",
        write("items", [Definition(read("items", write("items", plain(a, b))))]),
        write("items", plain(c)),
    )
    right = read(
        "items",
        write("items", plain(a)),
        write("items", [Definition(read("items", write("items", plain(b, c))))]),
    )
    assert together == left == right


@BOUNDED
@given(st.lists(st.text("x\n", max_size=3), min_size=3, max_size=3))
def test_text_associates(pieces: list[str]) -> None:
    first, second, third = pieces

    def join(*parts: str) -> str:
        result: str = read("text", write("text", [Definition(part) for part in parts]))
        return result

    assert join(first, second, third) == join(join(first, second), third) == join(first, join(second, third))


@BOUNDED
@given(definitions(small), definitions(small))
def test_a_stronger_definition_makes_weaker_ones_irrelevant(
    weak: list[Definition], strong: list[Definition]
) -> None:
    strong = [*strong, Definition([9], 10)]
    strongest = [one._replace(priority=10) for one in strong]
    assert read("items", write("items", weak), write("items", strongest)) == read(
        "items", write("items", strongest)
    )


@BOUNDED
@given(definitions(small))
def test_a_false_condition_is_as_if_never_written(found: list[Definition]) -> None:
    kept = [one for one in found if one.holds is not False]
    assert read("items", write("items", found)) == read("items", write("items", kept))


@BOUNDED
@given(definitions(small), definitions(small))
def test_extending_is_evaluating_with_all(first: list[Definition], second: list[Definition]) -> None:
    one, two = write("items", first), write("items", second)
    base: Config = evaluate([one], sets=[Laws])
    before = base[Laws].items
    assert base.extend([two])[Laws].items == read("items", one, two)
    assert base[Laws].items == before


@BOUNDED
@given(definitions(small))
def test_a_module_counts_once_however_often_it_is_imported(found: list[Definition]) -> None:
    module = write("items", found)

    def again(m: Module) -> None:
        m.imports(module, module)

    assert read("items", module, module, again) == read("items", module)


@BOUNDED
@given(
    st.recursive(
        st.integers(0, 2),
        lambda inner: st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        max_leaves=5,
    )
)
def test_data_united_with_itself_is_itself(value: Any) -> None:
    assert read("data", write("data", [Definition(value)]), write("data", [Definition(value)])) == value


@BOUNDED
@given(st.lists(st.text(max_size=4), min_size=1, max_size=3))
def test_paths_read_as_they_are_written(path: list[str]) -> None:
    assert parse_path(format_path(tuple(path))) == tuple(path)
