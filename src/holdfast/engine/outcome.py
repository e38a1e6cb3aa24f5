"""What a verb comes to, and the machine and store that it works on."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from holdfast.base.codec import JSON
from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.engine.exits import Exit

if TYPE_CHECKING:
    from holdfast.host.live import Live
    from holdfast.store.store import Store


@dataclass(frozen=True)
class Outcome:
    """The end of a verb that did not fail."""

    result: JSON
    """What --json prints; the keys of each verb are those of its result type, all of them, always."""
    lines: tuple[str, ...] = ()
    """The same for people."""
    code: Exit = Exit.DONE


class Place:
    """The root that a command is about, and its store."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def store(self) -> Store:
        """Opened when first asked for, since looking around needs none.

        Raises:
            HoldfastError: it cannot be opened.
        """
        from holdfast.store.store import open_store

        return open_store(self._store_path)

    @property
    def has_store(self) -> bool:
        """There is one already."""
        return (self._store_path / "oci-layout").is_file()

    @property
    def _store_path(self) -> Path:
        chosen = os.environ.get("HOLDFAST_STORE")
        return Path(chosen).absolute() if chosen else self.root / "var/lib/holdfast"

    @property
    def is_running(self) -> bool:
        """It is the machine's own root."""
        return self.root == Path("/")

    @contextmanager
    def live(self) -> Generator[Live]:
        """Raises:
        HoldfastError: the root cannot be opened.
        """
        from holdfast.host.live import open_live

        with open_live(self.root, blobs=self._open) as live:
            yield live

    def _open(self, digest: Digest) -> BinaryIO:
        return self.store.blobs.open(digest)


def demand_root(what: str) -> None:
    """Raises:
    HoldfastError: this process is not root's.
    """
    if os.geteuid() != 0:
        raise HoldfastError(f"only root may {what}", resolution="Run the command with sudo, or as root.")
