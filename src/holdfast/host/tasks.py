"""Commands of the definition: tasks, which bring about what no file can say, and hooks around a change."""

from __future__ import annotations

import pwd
import shlex
import shutil
from collections.abc import Mapping

from holdfast.base import process
from holdfast.base.environment import BASE_ENVIRONMENT
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


def one_by_one(tasks: RunTasks | None) -> tuple[list[RunTasks], list[RunTasks]]:
    """The same with a step for each task, so that what was not begun is not taken back (pure).

    First what is dropped, which is undone before anything goes that it may need, then what is due.
    """
    if tasks is None:
        return [], []
    dropped = [RunTasks({}, {name: task}) for name, task in sorted(tasks.dropped.items(), reverse=True)]
    return dropped, [RunTasks({name: task}) for name, task in sorted(tasks.tasks.items())]


def do(step: Step, live: Live) -> None:  # noqa: ARG001 - every step's module has the same two functions
    """Raises HoldfastError: a command failed; names the task."""
    if isinstance(step, RunHooks):
        for command in step.commands:
            process.stream(command, env={"HOLDFAST_PHASE": step.when})
    elif isinstance(step, RunTasks):
        for name, task in sorted(step.dropped.items(), reverse=True):
            if task.undo is not None and _can_run(name, task.undo, task.user):
                _run(name, task.undo, task.user)
        for name, task in sorted(step.tasks.items()):
            _run(name, task.command, task.user)


def undo(step: Step, live: Live) -> None:
    """Where nothing runs (another machine's disk, or early at boot) no command can be run: what would have been is told.

    Raises:
        HoldfastError: a command that takes a task back, or brings a dropped one back, failed.
    """
    if not isinstance(step, RunTasks):
        return
    for name, task in sorted(step.tasks.items(), reverse=True):
        if task.undo is not None:
            _back(name, task.undo, task.user, live)
    for name, task in sorted(step.dropped.items()):
        still_done = (
            live.running and task.done is not None and _command(task.done, task.user, check=False) == 0
        )
        if task.undo is not None and not still_done:
            _back(name, task.command, task.user, live)


def _back(name: str, command: tuple[str, ...], user: str, live: Live) -> None:
    if live.running:
        _run(name, command, user)
    else:
        told = f"the task {name!r} is not taken back, as nothing runs here: {shlex.join(command)}"
        message(told, level="warning")


def _can_run(name: str, command: tuple[str, ...], user: str) -> bool:
    """Packages go before tasks do: what has gone with one must not keep a machine from being given back."""
    if shutil.which(command[0], path=BASE_ENVIRONMENT["PATH"]) is None:
        told = f"the task {name!r} is dropped, and not undone: {command[0]} is not there any more"
    elif user != "root" and not _is_user(user):
        told = f"the task {name!r} is dropped, and not undone: user {user} is not there any more"
    else:
        return True
    message(told, level="warning")
    return False


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


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
