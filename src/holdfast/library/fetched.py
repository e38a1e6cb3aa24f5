"""Files from the web, named by what is in them."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass
from holdfast.options.types import Mismatch, Type
from holdfast.options.types_text import LOCAL_FILE

if TYPE_CHECKING:
    from holdfast.options.definition import Recorded
    from holdfast.options.types import Schema

_URL = r"https?://[^\s/?#@]+(?:[/?#]\S*)?"
_SHA256 = r"(?:sha256:)?([0-9a-fA-F]{64})"


@dataclass(frozen=True)
class Fetched:
    """A file from the web: ``m[Files]["/usr/local/bin/tool"].source = Fetched("https://...", sha256="...")``.

    ``sha256`` (64 hexadecimal digits, as `sha256sum` prints them) locks it: the definition decides which bytes these are, the
    manifest names nothing else, and another URL or server for the same bytes changes nothing. So `holdfast.lock` has no entry for
    it. Evaluation does not fetch; `build` does, once, and keeps the file in the store.
    """

    url: str
    sha256: str

    @property
    def digest(self) -> Digest:
        return Digest(f"sha256:{self.sha256}")


class _Source(Type["str | Fetched", "str | os.PathLike[str] | Fetched"]):
    words = "a file beside the definition, an absolute path, or a Fetched(...)"

    def read(self, value: object, definition: Recorded) -> str | Fetched:
        if isinstance(value, Fetched):
            return self._fetched(value, definition)
        if type(value) is str and re.match(_URL, value):
            raise Mismatch(
                value, definition, expected=self.words, hint=f'Write Fetched("{value}", sha256="...").'
            )
        try:
            return LOCAL_FILE.read(value, definition)
        except Mismatch as mismatch:
            mismatch.expected = self.words
            raise

    def _fetched(self, value: Fetched, definition: Recorded) -> Fetched:
        if type(value.url) is not str or not re.fullmatch(_URL, value.url):
            hint = "Write a whole URL that begins with https:// or http:// and holds no password."
            raise Mismatch(value, definition, expected="a Fetched with the URL of a file", hint=hint)
        found = re.fullmatch(_SHA256, value.sha256) if type(value.sha256) is str else None
        if found is None:
            hint = "Write the 64 hexadecimal digits that `sha256sum FILE` prints."
            raise Mismatch(value, definition, expected="a Fetched with a SHA-256 digest", hint=hint)
        return Fetched(value.url, found[1].lower())

    def schema(self) -> Schema:
        digest = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
        return {
            "anyOf": [
                LOCAL_FILE.schema(),
                {"type": "object", "properties": {"url": {"type": "string"}, "sha256": digest}},
            ]
        }


SOURCE: Type[str | Fetched, str | os.PathLike[str] | Fetched] = _Source()
"""Where the content of a file comes from. A path reads as an absolute path."""
