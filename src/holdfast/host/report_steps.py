"""The steps of a change as text for people (pure). Part of :mod:`holdfast.host.report`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from holdfast.base.style import Kind, Style, printable
from holdfast.host.steps import (
    DecryptSecret,
    LoadModules,
    ProbeHealth,
    RunHooks,
    RunTasks,
    RunUnits,
    SetSysctl,
    Step,
)
from holdfast.manifest.model import CommandProbe, HttpProbe, Probe, TcpProbe

_VERB_KINDS: Mapping[str, Kind] = {
    "start": "added",
    "stop": "removed",
    "restart": "changed",
    "reload": "changed",
}


def _units(step: Step, style: Style) -> list[str]:
    if not isinstance(step, RunUnits):
        return []
    return [
        f"{style(_VERB_KINDS[job.verb], f'{job.verb:<7}')} {printable(job.unit)}"
        + (f" of {printable(job.user)}" if job.user else "")
        + (f"  ({printable(job.reason)})" if job.reason else "")
        for job in step.jobs
    ]


def _settings(step: Step, _style: Style) -> list[str]:
    if isinstance(step, LoadModules):
        return [f"load module {printable(name)}" for name in step.modules]
    if not isinstance(step, SetSysctl):
        return []
    return [
        f"{printable(name)} = {printable(value)}"
        + (f"  (is {printable(step.before[name])})" if name in step.before else "")
        for name, value in step.values.items()
    ]


def _secrets(step: Step, _style: Style) -> list[str]:
    if not isinstance(step, DecryptSecret) or step.when != "do":
        return []
    return [f"decrypt {printable(step.path)} ({step.encryption})"]


def _commands(step: Step, _style: Style) -> list[str]:
    if isinstance(step, RunHooks):
        return [f"{step.when} the switch: {_command(command)}" for command in step.commands]
    if not isinstance(step, RunTasks):
        return []
    run = [
        f"task {printable(name)}: {_command(task.command)}"
        + (f" as {printable(task.user)}" if task.user != "root" else "")
        + (f", unless {_command(task.done)} succeeds" if task.done else "")
        for name, task in step.tasks.items()
    ]
    dropped = [
        f"task {printable(name)} is dropped" + (f": {_command(task.undo)}" if task.undo else "")
        for name, task in step.dropped.items()
    ]
    return [*run, *dropped]


def _probes(step: Step, _style: Style) -> list[str]:
    if not isinstance(step, ProbeHealth):
        return []
    health = step.health
    lines = [f"{printable(name)}: {_probe(probe)}" for name, probe in health.probes.items()]
    if lines:
        lines.append(f"all within {health.deadline} s, or the change is taken back")
    return lines


def _probe(probe: Probe) -> str:
    if isinstance(probe, CommandProbe):
        return f"{_command(probe.command)} succeeds"
    if isinstance(probe, HttpProbe):
        contains = f" and contains {probe.contains!r}" if probe.contains else ""
        return f"{printable(probe.url)} answers {probe.status}{contains}"
    if isinstance(probe, TcpProbe):
        return f"{printable(probe.host)} port {probe.port} accepts a connection"
    return f"{printable(probe.unit)} is active"


def _command(command: Sequence[str]) -> str:
    return printable(shlex.join(command))


SECTIONS: Sequence[tuple[str, Callable[[Step, Style], list[str]]]] = (
    ("Secrets", _secrets),
    ("Settings", _settings),
    ("Units", _units),
    ("Commands", _commands),
    ("Probes", _probes),
)
"""Title of a section, and what a step contributes to it."""
