"""Conditions of ``with m.when(...)``: recorded beside the values, so that keys are known while values stay lazy."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

    from holdfast.options.config import Config


class Condition:
    """One ``when``, inside its parent's. ``value`` is None until somebody asks."""

    __slots__ = ("code", "offset", "parent", "thunk", "value")

    def __init__(
        self, parent: Condition | None, thunk: Callable[[Config], bool], code: CodeType, offset: int
    ):
        self.parent = parent
        self.thunk = thunk
        self.code = code
        self.offset = offset
        self.value: bool | None = None
