"""What the command's exit code tells."""

from __future__ import annotations

from enum import IntEnum

from holdfast.engine import launch


class Exit(IntEnum):
    """Exit codes of the engine's command, and of the author's commands that work on machines."""

    DONE = 0
    """Done, or nothing had to be done."""
    ERROR = 1
    """Something went wrong before anything was changed."""
    USAGE = 2
    """The command line means nothing."""
    TAKEN_BACK = 3
    """The change failed and was undone: the machine is as it was (`host.failures.TakenBackError`)."""
    STUCK = 4
    """The change failed and could not be undone completely (`host.failures.StuckError`)."""
    REFUSED = 5
    """A check or an assertion forbids it; nothing was touched (`host.failures.RefusedError`)."""
    BUSY = 6
    """Another run holds the lock (`host.failures.BusyError`)."""
    PENDING = 7
    """Only with --detailed-exitcode: there is something to change, or something has drifted."""
    NO_ENGINE = launch.EXIT_NO_ENGINE
    """The engine is not installed on the machine."""
    NO_PYTHON = launch.EXIT_NO_PYTHON
    """The machine has no python3 that is new enough."""
    INTERRUPTED = 130
    """Control-C. A change that runs in its own unit goes on."""
    READER_GONE = 141
    """Whoever read what it printed is gone (`| head`). A change that runs in its own unit goes on."""
    TERMINATED = 143
    """SIGTERM or SIGHUP. A change that runs in its own unit goes on."""
