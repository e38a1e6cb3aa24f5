from __future__ import annotations

from typing import Any

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.library import Debian, Evaluated, Fetched, Files, System, evaluate_system
from holdfast.manifest.contents import Download
from holdfast.manifest.model import BlobFile
from holdfast.options import Module, lazy

HEX = "ab" * 32
URL = "https://example.org/tool-1.0"


def with_source(*sources: Any) -> Evaluated:  # Any: also what no checker would let through
    def module(m: Module) -> None:
        for source in sources:
            m[Files]["/opt/tool"].source = source

    return evaluate_system(System("test", modules=[module], distro=Debian("trixie")))


def test_a_fetched_file_is_named_by_its_digest_alone() -> None:
    made = with_source(Fetched(URL, HEX))
    assert made.manifest.files == {"/opt/tool": BlobFile(Fetched(URL, HEX).digest)}
    assert made.contents == (Download(Fetched(URL, HEX).digest, URL, "/opt/tool"),)


def test_it_may_be_lazy_and_written_twice_but_not_two_of_them() -> None:
    made = with_source(lazy(lambda _: Fetched(URL, HEX)), Fetched(URL, sha256=f"sha256:{HEX.upper()}"))
    assert made.contents[0].digest == f"sha256:{HEX}"
    with pytest.raises(HoldfastError, match="has 2 definitions"):
        with_source(Fetched(URL, HEX), Fetched(URL, "cd" * 32))
    with pytest.raises(HoldfastError, match="has 2 definitions"):
        with_source(Fetched(URL, HEX), "/etc/motd")


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        (Fetched(URL, "1234"), "64 hexadecimal digits that `sha256sum FILE` prints"),
        (Fetched(URL, HEX + "\n"), "64 hexadecimal digits"),
        (Fetched("ftp://example.org/x", HEX), "begins with https:// or http://"),
        (Fetched("https://me:secret@example.org/x", HEX), "holds no password"),
        (Fetched("https://example.org/a b", HEX), "Write a whole URL"),
        (URL, f'Write Fetched("{URL}", sha256="...")'),
        (7, "Write the path in quotes"),
    ],
)
def test_a_wrong_one_is_told_with_its_place(source: object, hint: str) -> None:
    with pytest.raises(HoldfastError) as caught:
        with_source(source)
    told = str(caught.value) + caught.value.details + caught.value.resolution
    assert hint in told
    assert "test_fetched.py:" in told
