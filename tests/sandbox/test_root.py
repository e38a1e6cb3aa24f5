from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.sandbox import Root, Scratch


@pytest.mark.parametrize(
    ("root", "words"),
    [
        (Root((Path("/a"),)), "/a"),
        (Root((Path("/a"), Path("/b"), Path("/c")), Scratch()), "/c over 2 more layers"),
        (Root((Path("/a"),), Path("/up")), "/up"),
        (Root(()), "an empty root"),
    ],
)
def test_a_root_says_where_it_is(root: Root, words: str) -> None:
    assert root.describe() == words


def test_roots_are_values() -> None:
    assert Root((Path("/a"),), Scratch()) == Root((Path("/a"),), Scratch())
