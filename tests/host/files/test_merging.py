from __future__ import annotations

import pytest

from holdfast.host.files.merging import without_ours


@pytest.mark.parametrize(
    ("before", "after", "now", "result"),
    [
        (b"a:1\n", b"a:1\nb:2\n", b"a:1\nb:2\nc:3\n", b"a:1\nc:3\n"),
        (b"a:1\n", b"a:2\n", b"a:2\nc:3\n", b"a:1\nc:3\n"),
        (b"a:1\nb:2\n", b"a:1\n", b"c:3\na:1\n", b"c:3\na:1\nb:2\n"),
        (b"a:1\n", b"a:2\n", b"a:3\n", b"a:3\n"),
        (b"", b"127.0.1.1 x\n", b"127.0.1.1 x\n::1 y\n", b"::1 y\n"),
        (b"a:1\nb:2\n", b"a:1\n", b"a:1\nc:3", b"a:1\nc:3\nb:2\n"),
        (b"a:1\n", b"a:1\rx\n", b"a:1\rx\nc:3\rx\n", b"a:1\nc:3\rx\n"),
    ],
    ids=["added", "changed", "removed", "changed by both", "hosts", "no end of line", "carriage return"],
)
def test_only_our_lines_go(before: bytes, after: bytes, now: bytes, result: bytes) -> None:
    assert without_ours(before, after, now) == result
