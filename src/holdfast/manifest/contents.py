"""Where the blobs that a manifest names come from. Said beside the manifest, never in it: only the author's side needs it."""

from __future__ import annotations

from typing import Literal, Union

from holdfast.base.digests import Digest
from holdfast.base.records import dataclass


@dataclass(frozen=True)
class AuthorFile:
    """A file on the machine that evaluated."""

    digest: Digest
    path: str
    """Absolute."""
    kind: Literal["file"] = "file"


@dataclass(frozen=True)
class Download:
    """A file on the web whose digest the definition names."""

    digest: Digest
    url: str
    """http or https."""
    wanted_as: str
    """A path that the content has on the system, for messages."""
    kind: Literal["download"] = "download"


Content = Union[AuthorFile, Download]
