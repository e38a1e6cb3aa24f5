"""From the options of what runs at a switch to the manifest's checks, tasks and commands."""

from __future__ import annotations

import re
from collections.abc import Collection

from holdfast.library.assembling.accounts import BASE_USERS
from holdfast.library.assembling.problems import Problems
from holdfast.library.switching import Check, Checks, Task, Tasks
from holdfast.manifest import model

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.@:+-]*"


def check_name(name: str) -> str:
    """``name`` when messages and the state file can call something by it.

    Raises:
        ValueError: it is no such word.
    """
    if not re.fullmatch(_NAME, name):
        raise ValueError(f"{name!r} is no name here: write letters, digits, _ . @ : + and -")
    return name


def assemble_checks(config: Checks, problems: Problems) -> dict[str, model.Check]:
    """The manifest's checks, by name."""
    made: dict[str, model.Check] = {}
    for name, check in config.items():
        if check.enable:
            with problems.at("checks", name):
                made[check_name(name)] = model.Check(_command(check), check.message)
    return made


def assemble_tasks(config: Tasks, users: Collection[str], problems: Problems) -> dict[str, model.Task]:
    """The manifest's tasks, by name. ``users`` are those that the system declares or its packages bring."""
    made: dict[str, model.Task] = {}
    for name, task in config.items():
        if not task.enable:
            continue
        with problems.at("tasks", name):
            made[check_name(name)] = model.Task(_command(task), task.done, task.user, task.undo)
        if task.user not in users and task.user not in BASE_USERS:
            problems.add(
                f"There is no user {task.user!r}. Declare it; or, if a package brings it, write "
                f'm[Users].from_packages = ["{task.user}"].',
                "tasks", name, "user",
            )  # fmt: skip
    return made


def _command(one: Check | Task) -> tuple[str, ...]:
    script = one.script.strip("\n")
    if one.command is not None and script.strip():
        raise ValueError("it has both command and script; keep one")
    if one.command is not None:
        return one.command
    if not script.strip():
        raise ValueError("it has neither command nor script; set one")
    return ("/bin/sh", "-ec", f"{script}\n")
