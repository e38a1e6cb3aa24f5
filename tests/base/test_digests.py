from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.digests import digest_bytes, digest_file, digest_stream, hex_of, parse_digest
from holdfast.base.errors import HoldfastError
from tests.examples import at_most

HEX = hashlib.sha256(b"abc").hexdigest()


def test_the_three_ways_agree_with_hashlib(tmp_path: Path) -> None:
    data = b"abc" * 700_000  # longer than one chunk
    (tmp_path / "file").write_bytes(data)
    expected = "sha256:" + hashlib.sha256(data).hexdigest()
    assert digest_bytes(data) == digest_stream(io.BytesIO(data)) == digest_file(tmp_path / "file") == expected
    assert hex_of(digest_bytes(b"abc")) == HEX


def test_a_digest_may_be_written_without_its_algorithm() -> None:
    assert parse_digest(HEX) == parse_digest(f"sha256:{HEX}") == digest_bytes(b"abc")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256:",
        HEX[:-1],
        HEX + "0",
        HEX.upper(),
        f"sha512:{HEX}",
        f"sha256:{HEX}\n",
        f" {HEX}",
        f"sha256:../{HEX}",
    ],
)
def test_what_is_no_digest_is_refused_with_the_text(text: str) -> None:
    with pytest.raises(HoldfastError) as caught:
        parse_digest(text)
    assert repr(text) in caught.value.brief and "64 hexadecimal digits" in caught.value.resolution


@at_most(30)
@given(st.binary(max_size=64))
def test_parsing_gives_back_what_was_made(data: bytes) -> None:
    assert parse_digest(digest_bytes(data)) == digest_bytes(data)
