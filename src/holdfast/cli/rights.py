"""Root's rights for commands that make or remove files of many owners, whoever runs them."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])  # Any: decorates commands of any signature

GainRights = Callable[[], None]


def keep_rights() -> None:
    """Go on as whoever this process is: for a command line inside a program with threads, such as a test."""


def gain_rights() -> None:
    """Become root over the user's subordinate ids, unless the process is root or the store is somebody else's to write.

    The store stays the user's: where it is was settled before anybody became root.

    Raises:
        HoldfastError: the store is not to be used by this user, or there are no such ids; says how to mend it.
    """
    if os.geteuid() == 0:
        return
    from holdfast.sandbox.rootless import become_root
    from holdfast.store import open_store

    root = open_store().root
    if root.stat().st_uid == os.geteuid():
        os.environ["HOLDFAST_STORE"] = str(root)
        become_root()


def with_root_rights(function: F) -> F:
    """A command that starts by gaining rights, in the way its context was given."""

    @functools.wraps(function)
    def gaining(*arguments: Any, **options: Any) -> Any:
        gain: GainRights = click.get_current_context().obj or keep_rights
        gain()
        return function(*arguments, **options)

    return gaining  # type: ignore[return-value]
