"""What came of a command on machines: its text for one, a table for many, JSON for programs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError
from holdfast.base.event_lines import describe_amount
from holdfast.base.events import message
from holdfast.base.style import printable
from holdfast.cli.output import write_json, write_table
from holdfast.deploy.results import HostResult, State
from holdfast.deploy.transport import LOCAL
from holdfast.engine.exits import Exit
from holdfast.host.units.own import SWITCH_UNIT

if TYPE_CHECKING:
    from holdfast.deploy.working import Job

_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_WORDS: dict[State, tuple[str, str]] = {
    "changed": ("changed", "green"),
    "unchanged": ("unchanged", ""),
    "taken-back": ("failed, taken back", "red"),
    "stuck": ("failed, NOT taken back", "red"),
    "refused": ("refused", "yellow"),
    "busy": ("busy", "yellow"),
    "failed": ("failed", "red"),
    "unreachable": ("unreachable", "red"),
    "unconfirmed": ("lost, takes itself back", "red"),
    "skipped": ("skipped", "yellow"),
}


class Watch:
    """Told when machines begin and end; says so where there are many."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self.under_way: list[str] = []
        """Machines that have begun and not ended."""

    def begun(self, job: Job) -> None:
        self.under_way.append(job.name)

    def ended(self, result: HostResult) -> None:
        self._done += 1
        if result.name in self.under_way:  # else it was skipped
            self.under_way.remove(result.name)
        if self._total > 1:
            text = f"{result.name}: {_WORDS[result.state][0]} ({self._done} of {self._total})"
            message(text, level="info" if result.fine else "warning")


def interrupted(names: Sequence[str], code: Exit) -> HoldfastError:
    """^C or SIGTERM while machines were being changed, which they are in units of their own."""
    hosts = [f" --target-host {name}" for name in names if name != LOCAL]
    error = HoldfastError(
        f"interrupted: a change that had begun goes on, on {', '.join(names)}",
        resolution=f"`holdfast follow{''.join(hosts)}` shows how it ends; `systemctl stop {SWITCH_UNIT}` there stops it and takes it back.",
    )
    error.exit_code = code
    return error


def write_results_json(results: Sequence[HostResult]) -> None:
    """A list with one object for each machine; all keys are always there."""
    write_json([result_json(result) for result in results])


def result_json(result: HostResult) -> dict[str, JSON]:
    failed = {"brief": result.brief, "details": result.details, "resolution": result.resolution}
    return {
        "host": result.name,
        "system": result.system,
        "state": result.state,
        "exit_code": result.code,
        "generation": result.generation,
        "milliseconds": round(result.seconds * 1000),
        "bytes_sent": result.sent,
        "error": dict(failed) if result.brief else None,
        "result": result.result,
    }


def write_results(results: Sequence[HostResult], *, planning: bool) -> None:
    """One machine: what the engine says. Many: what each of them says where that is a plan or a status, and a table."""
    if len(results) == 1:
        for line in results[0].lines:
            click.echo(_shown(line))
        return
    for result in results:
        if result.lines and (planning or len(result.lines) > 1):  # one says what the table does
            click.echo(click.style(f"{_label(result)}:", bold=True))
            for line in result.lines:
                click.echo(f"  {_shown(line)}" if line else "")
            click.echo()
        elif not result.fine and result.brief:
            click.echo(click.style(f"{_label(result)}: ", bold=True) + printable(result.brief))
            advice = [f"next: {result.resolution}"] if result.resolution else []
            for line in (*result.details.splitlines(), *advice):
                click.echo(f"  {printable(line)}")
            click.echo()
    write_table(
        [
            (
                result.name,
                result.system or "-",
                _state(result, planning=planning),
                "-" if result.generation is None else str(result.generation),
                describe_amount(result.sent, "bytes") if result.sent else "-",
                f"{result.seconds:.1f} s" if result.state != "skipped" else "-",
            )
            for result in results
        ],
        header=("MACHINE", "SYSTEM", "RESULT", "GENERATION", "SENT", "TIME"),
    )


def _shown(line: str) -> str:
    """A line as a machine tells it, which may colour it and do nothing else to the terminal."""
    return "".join(
        part if _COLOUR.fullmatch(part) else printable(part) for part in _COLOUR.split(line) if part
    )


def _state(result: HostResult, *, planning: bool) -> str:
    if planning and result.state == "changed":
        return "would change"
    return _WORDS[result.state][0]


def _label(result: HostResult) -> str:
    return f"{result.name} ({result.system})" if result.system else result.name
