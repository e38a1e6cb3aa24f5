"""What the verbs of a machine return."""

from __future__ import annotations

import json
from collections.abc import Mapping

from holdfast.base.records import dataclass


@dataclass(frozen=True)
class Unit:
    """A unit's state, in the words of org.freedesktop.systemd1(5)."""

    name: str
    description: str
    load_state: str
    """``loaded``, ``not-found``, ``masked``, ``bad-setting``, ``error``."""
    active_state: str
    """``active``, ``reloading``, ``inactive``, ``failed``, ``activating``, ``deactivating``."""
    sub_state: str
    has_job: bool = False
    """A job for it waits or runs. Known for a single unit only, not in lists."""


@dataclass(frozen=True)
class Shutdown:
    """How a machine ended."""

    seconds: float
    forced: bool
    """True if it had to be killed because it did not power itself off in time."""


@dataclass(frozen=True)
class HttpResponse:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8, invalid bytes replaced."""
        return self.body.decode(errors="replace")

    def json(self) -> object:
        return json.loads(self.body)
