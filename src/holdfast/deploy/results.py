"""What came of a command on each of several machines, and the one exit code for all of them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.deploy.transport import LOCAL
from holdfast.engine.exits import Exit

UNREACHABLE = 8
"""Exit code: the machine cannot be reached, or not be used, or the connection was lost: a change that had begun goes on there."""

State = Literal[
    "changed",
    "unchanged",
    "taken-back",
    "stuck",
    "refused",
    "busy",
    "failed",
    "unreachable",
    "unconfirmed",
    "skipped",
]
"""``taken-back``: it failed and the machine is as it was. ``stuck``: it failed and could not be taken back. ``failed``: before
anything was changed. ``unconfirmed``: changed, but the machine could not be reached anew: it takes the change back by itself.
``skipped``: not begun, since others failed.
"""

_BY_CODE: Mapping[int, State] = {
    Exit.TAKEN_BACK: "taken-back",
    Exit.STUCK: "stuck",
    Exit.REFUSED: "refused",
    Exit.BUSY: "busy",
    UNREACHABLE: "unreachable",
}
_WORST_FIRST = (
    Exit.STUCK,
    Exit.TAKEN_BACK,
    Exit.ERROR,
    Exit.USAGE,
    UNREACHABLE,
    Exit.REFUSED,
    Exit.BUSY,
    Exit.PENDING,
)
_ADVISED = re.compile(
    r"(?<=`)holdfast (status|follow|recover|confirm|rollback|repair|adopt|deactivate|generations [a-z]+)\b(?!.*--target-host)[^`]*"
)
FINE = frozenset[State]({"changed", "unchanged"})


class UnreachableError(HoldfastError):
    """There is no way to the machine, or none to root's rights on it."""

    exit_code = UNREACHABLE


class UnconfirmedError(HoldfastError):
    """The machine was changed and could not be reached anew: it takes the change back by itself."""

    exit_code = Exit.TAKEN_BACK


@dataclass(frozen=True)
class HostResult:
    """One machine's."""

    name: str
    """USER@HOST, or ``local``."""
    system: str | None
    state: State
    code: int = 0
    seconds: float = 0.0
    sent: int = 0
    """Bytes that went there: generation and engine, without what ssh adds."""
    result: JSON = None
    """The engine's, see ``--json`` of each verb."""
    lines: tuple[str, ...] = ()
    """The same for people."""
    brief: str = ""
    details: str = ""
    resolution: str = ""

    @property
    def fine(self) -> bool:
        return self.state in FINE

    @property
    def generation(self) -> int | None:
        """The generation that is current there now; None where the verb does not say."""
        found = self.result.get("generation") if isinstance(self.result, dict) else None
        return found if isinstance(found, int) else None


def failure(
    name: str, system: str | None, error: HoldfastError, *, seconds: float = 0.0, sent: int = 0
) -> HostResult:
    """The result of a machine where ``error`` ended the work."""
    state: State = (
        "unconfirmed" if isinstance(error, UnconfirmedError) else _BY_CODE.get(error.exit_code, "failed")
    )
    return HostResult(
        name,
        system,
        state,
        error.exit_code,
        seconds,
        sent,
        brief=error.brief,
        details=error.details,
        resolution=error.resolution if name == LOCAL else over_there(error.resolution, name),
    )


def over_there(advice: str, name: str) -> str:
    """What the engine advises, for whoever is not on its machine (pure): `holdfast follow` here would be about this one."""
    return _ADVISED.sub(lambda found: f"{found[0]} --target-host {name}", advice)


def demand(result: HostResult) -> HostResult:
    """``result``, if all went well.

    Raises:
        HoldfastError: it did not.
    """
    if result.fine:
        return result
    error = HoldfastError(result.brief, details=result.details, resolution=result.resolution)
    error.exit_code = result.code
    raise error


def exit_code(results: Iterable[HostResult]) -> int:
    """0 when all went well; else that of the worst failure: what could not be taken back, then what was, then the rest."""
    codes = {result.code for result in results}
    for code in _WORST_FIRST:
        if code in codes:
            return int(code)
    return max(codes, default=0)
