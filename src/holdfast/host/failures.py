"""How a command on a machine can fail, by what the caller has to do about it: each with an exit code of its own."""

from __future__ import annotations

from holdfast.base.errors import HoldfastError


class TakenBackError(HoldfastError):
    """The change failed and was undone: the machine is as it was before."""

    exit_code = 3


class StuckError(HoldfastError):
    """The change failed and could not be undone completely; the journal stays, and the next command tries again."""

    exit_code = 4


class RefusedError(HoldfastError):
    """A check or an assertion forbids the change; nothing was touched."""

    exit_code = 5


class BusyError(HoldfastError):
    """Another run holds the lock."""

    exit_code = 6
