"""Sources of files: right and wrong ones, on the library's own sets."""

from __future__ import annotations

from pathlib import Path

from holdfast import Fetched as Same
from holdfast import Module, default, lazy
from holdfast.library import Fetched, Fetcher, Files  # noqa: F401 # expect-error


def right(m: Module) -> None:
    m[Files]["/a"].source = "beside"
    m[Files]["/a"].source = Path("beside")
    m[Files]["/a"].source = Fetched("https://example.org/a", sha256="00")
    m[Files]["/a"].source = Same("https://example.org/a", "00")
    m[Files]["/a"].source = default(Fetched("https://example.org/a", sha256="00"))
    m[Files]["/a"].source = lazy(lambda c: Fetched("https://example.org/a", sha256=c[Files]["/b"].mode or ""))
    m[Files]["/a"].source = None


def wrong(m: Module) -> None:
    m[Files]["/a"].source = 3  # expect-error
    m[Files]["/a"].source = ["https://example.org/a"]  # expect-error
    m[Files]["/a"].source = Fetched("https://example.org/a")  # expect-error
    m[Files]["/a"].source = Fetched("https://example.org/a", sha512="00")  # expect-error
    m[Files]["/a"].text = Fetched("https://example.org/a", sha256="00")  # expect-error
    m[Files]["/a"].source = default(b"a")  # expect-error
