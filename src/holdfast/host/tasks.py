"""Commands of the definition: tasks, which bring about what no file can say, and hooks around a change."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message
from holdfast.host.live import Live
from holdfast.host.steps import RunHooks, RunTasks, Step
from holdfast.manifest.model import Task

_CHECK_SECONDS = 60.0


def plan_tasks(
    declared: Mapping[str, Task], ran: Mapping[str, Task], done: Mapping[str, bool]
) -> tuple[RunTasks | None, Mapping[str, Task]]:
    """The step, if one is needed, and the tasks that have run once it is done (pure). ``done``: what the checks said."""
    due = {
        name: task
        for name, task in declared.items()
        if (not done[name] if name in done else ran.get(name) != task)
    }
    dropped = {name: task for name, task in ran.items() if name not in declared and task.undo is not None}
    step = RunTasks(due, dropped) if due or dropped else None
    return step, dict(declared)


def check_tasks(declared: Mapping[str, Task]) -> Mapping[str, bool]:
    """Ask the ``done`` command of each task that has one. They must only look."""
    return {
        name: _command(task.done, task.user, check=False) == 0
        for name, task in sorted(declared.items())
        if task.done is not None
    }


def do(step: Step, live: Live) -> None:  # noqa: ARG001 - every step's module has the same two functions
    """Raises HoldfastError: a command failed; names the task."""
    if isinstance(step, RunHooks):
        for command in step.commands:
            process.stream(command, env={"HOLDFAST_PHASE": step.when})
    elif isinstance(step, RunTasks):
        for name, task in sorted(step.dropped.items()):
            if task.undo is not None:
                _run(name, task.undo, task.user)
        for name, task in sorted(step.tasks.items()):
            _run(name, task.command, task.user)


def undo(step: Step, live: Live) -> None:
    """Where nothing runs (another machine's disk, or early at boot) no command can be run: what would have been is told.

    Raises:
        HoldfastError: a command that takes a task back failed.
    """
    if not isinstance(step, RunTasks):
        return
    for name, task in sorted(step.tasks.items(), reverse=True):
        if task.undo is not None and live.running:
            _run(name, task.undo, task.user)
        elif task.undo is not None:
            told = f"the task {name!r} is not taken back, as nothing runs here: {shlex.join(task.undo)}"
            message(told, level="warning")


def _run(name: str, command: tuple[str, ...], user: str) -> None:
    try:
        _command(command, user, check=True)
    except HoldfastError as error:
        raise HoldfastError(
            f"the task {name!r} failed: {error.brief}", details=error.details, resolution=error.resolution
        ) from None


def _command(command: tuple[str, ...], user: str, *, check: bool) -> int:
    argv = command if user == "root" else ("runuser", "--user", user, "--", *command)
    timeout = None if check else _CHECK_SECONDS
    return process.run(argv, check=check, timeout=timeout).returncode
