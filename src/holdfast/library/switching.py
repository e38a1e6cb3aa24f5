"""What runs at a switch besides units: checks before it, commands around it, and tasks that no file can say."""

from __future__ import annotations

from holdfast.library.types import ACCOUNT, PROGRAM, PROGRAMS
from holdfast.options import (
    BOOL,
    LINES,
    STR,
    KeyedSet,
    Module,
    OptionSet,
    entry_name,
    implements,
    null_or,
    option,
)


class Check(OptionSet, path=""):
    """One condition of the machine. Set one of `command` and `script`."""

    name = entry_name(doc="Name of the check, for messages.")
    enable = option(BOOL, default=True, doc="False leaves the check out.")
    command = option(
        null_or(PROGRAM),
        doc="Holds when this command exits with 0. It must change nothing: `plan` runs it too.",
        example=["/usr/bin/test", "-e", "/srv/data/.mounted"],
    )
    script = option(LINES, default="", doc="A shell script in place of `command`, run by `/bin/sh -e`.")
    message = option(
        STR,
        default="",
        doc="What to tell when it fails; without one, what the command printed.",
        example="The data disk is not mounted: mount it first.",
    )


class Checks(KeyedSet[Check], path="checks"):
    """What must hold before anything is changed, by name. All that fail are told together."""


class Task(OptionSet, path=""):
    """One command that brings about what no file can say. Set one of `command` and `script`."""

    name = entry_name(doc="Name of the task; whether it has run is remembered under it.")
    enable = option(BOOL, default=True, doc="False leaves the task out.")
    command = option(
        null_or(PROGRAM),
        doc="The command. It runs after units have been started, before `after_switch` and the probes.",
        example=["/usr/bin/createdb", "shop"],
    )
    script = option(LINES, default="", doc="A shell script in place of `command`, run by `/bin/sh -e`.")
    done = option(
        null_or(PROGRAM),
        doc="Command that tells by its exit code 0 that there is nothing to do. Without one the task runs once, "
        "and again when its command changes.",
        example=["/bin/sh", "-c", "psql -lqt | cut -d '|' -f 1 | grep -qw shop"],
    )
    undo = option(
        null_or(PROGRAM),
        doc="Command that takes it back: when the switch that ran it fails, and when the task is no longer declared.",
        example=["/usr/bin/dropdb", "shop"],
    )
    user = option(ACCOUNT, default="root", doc="Account that all its commands run as.", example="postgres")


class Tasks(KeyedSet[Task], path="tasks"):
    """Commands that run once, or whenever they find something to do, by name; in the order of their names."""


class Hooks(OptionSet, path="hooks"):
    """Commands that run at every switch. For what is to happen once, see `tasks`."""

    before_switch = option(
        PROGRAMS,
        doc="Commands to run before anything is changed, in order; a failure ends the switch. "
        "`before(...)` and `after(...)` put them at the start or the end.",
        example=[["/usr/local/bin/drain", "--wait"]],
    )
    after_switch = option(
        PROGRAMS,
        doc="Commands to run when everything is in place, before the probes; a failure takes the switch back.",
        example=[["/usr/local/bin/warm-cache"]],
    )


@implements(Checks, Tasks, Hooks)
def switching(m: Module) -> None:
    """Nothing to add: the manifest carries commands as they are."""
