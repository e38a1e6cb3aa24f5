from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.distro.debian.deb import Unpacked
from holdfast.distro.debian.relations import alternatives, dependency_order, names_in
from tests.examples import at_most


def package(name: str, **fields: str) -> Unpacked:
    control = {"package": name, **{key.replace("_", "-"): value for key, value in fields.items()}}
    return Unpacked(Path("/nowhere"), (), control, "", ())


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("", []),
        ("a", [["a"]]),
        ("a (>= 1:2.0~), b:any | c [amd64] <!x>,\n d (= ${x})", [["a"], ["b", "c"], ["d"]]),
        ("g++-13, libstdc++6 (>= 4)", [["g++-13"], ["libstdc++6"]]),
        (" , a,, ", [["a"]]),
    ],
)
def test_relations_are_read(text: str, groups: list[list[str]]) -> None:
    assert alternatives(text) == groups


def names(*packages: Unpacked) -> list[str]:
    return [found.name for found in dependency_order(packages)]


def test_what_is_needed_comes_first() -> None:
    assert names(package("a", depends="b", pre_depends="c"), package("b", depends="c"), package("c")) == [
        "c",
        "b",
        "a",
    ]


def test_provided_names_count() -> None:
    assert names(package("a", depends="awk"), package("mawk", provides="awk (= 1)")) == ["mawk", "a"]


def test_a_cycle_ends() -> None:
    assert sorted(names(package("a", depends="b"), package("b", depends="a"))) == ["a", "b"]


def test_a_long_chain_is_no_problem() -> None:
    chain = [package(f"p{number:05}", depends=f"p{number + 1:05}") for number in range(2000)]
    assert names(*chain)[0] == "p01999"


@at_most(25)
@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef")), min_size=1))
def test_every_package_once_whatever_the_order(graph: dict[str, set[str]]) -> None:
    packages = [package(name, depends=", ".join(sorted(needs))) for name, needs in graph.items()]
    order = names(*packages)
    assert sorted(order) == sorted(graph)
    assert names(*reversed(packages)) == order


@given(st.text(max_size=30))
@at_most(25)
def test_any_text_can_be_read(text: str) -> None:
    names_in(text)
