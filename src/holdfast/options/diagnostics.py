"""Assertions and warnings: list options, collected and told together."""

from __future__ import annotations

from holdfast.options.declare import OptionSet, option
from holdfast.options.types import STR, list_of
from holdfast.options.types_python import instance_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.options.config import Config


class Assertion:
    """What must hold of the resolved config, and what to say otherwise."""

    __slots__ = ("holds", "message")

    def __init__(self, holds: Callable[[Config], bool], message: str) -> None:
        self.holds = holds
        self.message = message

    def __repr__(self) -> str:
        return f"Assertion({self.message!r})"


class Diagnostics(OptionSet, path="diagnostics"):
    """What an evaluation has to say about itself; in every system."""

    assertions = option(
        list_of(instance_of(Assertion)),
        default=(),
        internal=True,
        doc="What must hold; see Module.assert_that.",
    )
    warnings = option(
        list_of(STR), default=(), internal=True, doc="What to tell whoever evaluates the system."
    )


ASSERTIONS = Diagnostics.assertions
WARNINGS = Diagnostics.warnings
