"""Generic classes without :mod:`typing`, whose import costs a sixth of a whole evaluation.

Checkers never look here: every user imports the real names under ``TYPE_CHECKING`` and these otherwise.
"""

from __future__ import annotations

from types import GenericAlias


def TypeVar(name: str, **_details: object) -> str:
    """Stand in for :class:`typing.TypeVar`: only its name survives."""
    return name


class Generic:
    """Stand in for :class:`typing.Generic`: ``Generic["T"]`` is a base class like ``Generic``."""

    __slots__ = ()

    def __class_getitem__(cls, item: object) -> GenericAlias:
        return GenericAlias(cls, item)


def overload(function: object) -> object:
    """Stand in for :func:`typing.overload`: the signatures are only for checkers."""
    return function
