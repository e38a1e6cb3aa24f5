from __future__ import annotations

import pytest
import tomllib
from hypothesis import given
from hypothesis import strategies as st

from holdfast.library.rendering.formats import Data, to_ini, to_json, to_key_value, to_toml
from tests.examples import at_most

KEYS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=6)
LEAVES = (
    st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=8)
)
TABLES = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@at_most(40)
@given(TABLES)
def test_toml_reads_back(table: dict[str, Data]) -> None:
    assert tomllib.loads(to_toml(table)) == table


def test_toml_golden() -> None:
    table: dict[str, Data] = {
        "server": {"port": 80, "tls": {"on": True}},
        "title": 'a "b"',
        "mirrors": [{"u": "x"}, {"u": "y"}],
    }
    assert to_toml(table) == (
        'title = "a \\"b\\""\n\n[[mirrors]]\nu = "x"\n\n[[mirrors]]\nu = "y"\n\n[server]\nport = 80\n\n[server.tls]\non = true\n'
    )


def test_toml_has_no_null() -> None:
    with pytest.raises(ValueError, match=r"a\.b is None"):
        to_toml({"a": {"b": None}})


def test_json_golden() -> None:
    assert to_json({"b": [1, "é"], "a": None}) == '{\n  "a": null,\n  "b": [\n    1,\n    "é"\n  ]\n}\n'


def test_ini_golden() -> None:
    assert to_ini({"b": {"y": True, "x": [1, 2]}, "": {"top": None}}) == "top=\n\n[b]\nx=1\nx=2\ny=true\n"


def test_ini_refuses_line_breaks() -> None:
    with pytest.raises(ValueError, match="line break"):
        to_ini({"a": {"b": "x\ny=z"}})


def test_key_value_golden() -> None:
    assert to_key_value({"B": 'say "$x"', "A": 1}) == 'A=1\nB="say \\"\\$x\\""\n'
