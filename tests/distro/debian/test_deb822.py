from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.distro.debian.deb822 import parse_paragraph, parse_paragraphs
from tests.examples import at_most


def test_paragraphs_fields_continuations_and_comments() -> None:
    text = "A: 1\nB-c:  2 \n continued\n .\n# comment\n  more\n\n\n  \nD:4\nno field\n stray\nE:\n x\n y"
    assert list(parse_paragraphs(text)) == [
        {"a": "1", "b-c": "2\ncontinued\n.\n more"},
        {"d": "4", "e": "\nx\ny"},
    ]


def test_nothing_is_nothing() -> None:
    assert parse_paragraph("") == {}
    assert parse_paragraph("\n\n# only this\n") == {}


@at_most(20)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True), st.from_regex(r"[!-~]{0,9}", fullmatch=True)
    )
)
def test_what_is_written_is_read(fields: dict[str, str]) -> None:
    text = "".join(f"{name.title()}: {value}\n" for name, value in fields.items())
    assert parse_paragraph(text) == fields


@at_most(40)
@given(st.text("a: \n\t#.", max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    for paragraph in parse_paragraphs(text):
        assert paragraph
