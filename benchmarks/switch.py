"""Changing a machine over ssh: 500 files and 20 units, and nothing at all, beside pyinfra and Ansible on the same container."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable

from benchmarks import configuration_tools, scratch
from benchmarks.configuration_tools import BIN, Tool
from benchmarks.measure import HOLDFAST, Row, Sample, alternate, command
from benchmarks.target import Target, target
from benchmarks.workload import FILES, UNITS, Workload
from holdfast.base.errors import HoldfastError
from holdfast.base.process import run

CHANGED_GOAL = 0.05
NOTHING_GOAL = 0.02
NOTHING_SECONDS = 0.3
_SLOW_SECONDS = 60.0
"""A peer that takes longer is run once: its median is not worth an hour."""

_SYSTEMS = """\
from pathlib import Path

from holdfast import Debian, Module, System
from holdfast.library import Files, Identity, Systemd

VERSION = (Path(__file__).parent / "version").read_text()


def workload(m: Module) -> None:
    m[Identity].locale = None
    m[Identity].timezone = None
    m[Files]["{directory}"].source = "files"
    for number in range({units}):
        service = m[Systemd].services[f"{name}-{{number}}"]
        service.description = f"Version {{VERSION}}"
        service.environment = {{"VERSION": VERSION}}
        service.exec_start = ["/usr/bin/sleep", "infinity"]
        service.wanted_by = ["multi-user.target"]


systems = [System("workload", modules=[workload], distro=Debian("trixie"), target={target!r})]
"""


def rows() -> Iterable[Row]:
    """Every tool has files and units of its own, so that each of its runs finds what its last one left."""
    if not (BIN / "pyinfra").exists():
        raise HoldfastError("the peers are not installed", resolution="Run `make bench`, which does so.")
    place = scratch.place() / "switch"
    place.mkdir()
    with target() as machine:
        ours = _holdfast(machine, Workload(place / "holdfast", "holdfast-load"))
        peers = [
            make(machine, Workload(place / f"{name}-{number}", f"{name}-{number}"), how)
            for name, make in (
                ("pyinfra", configuration_tools.pyinfra),
                ("ansible", configuration_tools.ansible),
            )
            for number, how in enumerate(configuration_tools.HOWS)
        ]
        tools = [ours, *peers]
        names = [tool.name for tool in tools]
        changed = dict(
            zip(names, alternate(*(_once_if_slow(_changing(tool)) for tool in tools)), strict=True)
        )
        for tool in tools:
            _check(machine, tool.workload)
        nothing = dict(zip(names, alternate(*(_once_if_slow(tool.run) for tool in tools)), strict=True))
        on_it = _on_the_machine(machine)
        one, sent = _one_file(machine, ours)
    yield from _rows(
        f"switch over ssh, {FILES} files and {UNITS} units changed", ours, peers, changed, CHANGED_GOAL
    )
    yield from _rows("switch over ssh, nothing to do", ours, peers, nothing, NOTHING_GOAL)
    yield Row(
        "switch on the machine itself, nothing to do",
        on_it,
        f"<= {NOTHING_SECONDS:g} s",
        on_it.seconds <= NOTHING_SECONDS,
        "starting Python and loading the engine, then hashing every file",
    )
    yield Row(
        f"switch over ssh, one file changed: {sent} bytes pushed",
        one,
        "-",
        True,
        "two ssh round trips, the engine",
    )


def _rows(work: str, ours: Tool, peers: list[Tool], samples: dict[str, Sample], goal: float) -> Iterable[Row]:
    """A row for each peer; the goal is set by the fastest."""
    fastest = min(samples[peer.name].seconds for peer in peers)
    made = samples[ours.name]
    for peer in peers:
        yield Row(
            work,
            made,
            f"<= {goal}x of the fastest",
            made.seconds <= goal * fastest,
            "evaluating, three ssh connections' round trips, systemd's daemon-reload and its jobs",
            peer.name,
            samples[peer.name],
        )


def _holdfast(machine: Target, workload: Workload) -> Tool:
    workload.place.mkdir()
    system = _SYSTEMS.format(
        directory=workload.directory,
        name=workload.name,
        units=UNITS,
        target=f"ssh://root@127.0.0.1:{machine.port}",
    )
    (workload.place / "systems.py").write_text(system)
    return Tool("holdfast", workload, command(_command(machine), cwd=workload.place, env=_environment()))


def _command(machine: Target) -> list[str]:
    options = {
        "IdentityFile": machine.key,
        "UserKnownHostsFile": machine.known_hosts,
        "IdentitiesOnly": "yes",
    }
    return [HOLDFAST, "switch", *(f"--ssh-option={name}={value}" for name, value in options.items())]


def _environment() -> dict[str, str]:
    return {"HOLDFAST_STORE": str(scratch.store().root)}


def _changing(tool: Tool) -> Callable[[], Sample]:
    def once() -> Sample:
        tool.workload.advance()
        return tool.run()

    return once


def _once_if_slow(subject: Callable[[], Sample]) -> Callable[[], Sample]:
    """The same, which answers with its first figure from then on where that was long in coming."""
    first: list[Sample] = []

    def once() -> Sample:
        if first and first[0].seconds > _SLOW_SECONDS:
            return first[0]
        sample = subject()
        first.append(sample)
        return sample

    return once


def _on_the_machine(machine: Target) -> Sample:
    """What the engine takes by itself, without author and ssh. It runs in the container, where its memory is not watched."""

    def once() -> Sample:
        began = time.perf_counter()
        said = machine.machine.succeed("holdfast switch")
        if "Nothing to change" not in said:
            raise RuntimeError(f"there was something to change: {said}")
        return Sample(time.perf_counter() - began, 0)

    (median,) = alternate(once, rounds=5)
    return median


def _one_file(machine: Target, ours: Tool) -> tuple[Sample, int]:
    """Time and bytes of a switch after one file was edited."""
    sent: list[int] = []

    def once() -> Sample:
        ours.workload.edit_one()
        began = time.perf_counter()
        said = run([*_command(machine), "--json"], cwd=ours.workload.place, env=_environment()).stdout
        (result,) = json.loads(said)
        sent.append(int(result["bytes_sent"]))
        return Sample(time.perf_counter() - began, 0)

    (median,) = alternate(once)
    return median, sent[-1]


def _check(machine: Target, workload: Workload) -> None:
    units = " ".join(workload.unit(number) for number in range(UNITS))
    workload.check(
        machine.machine.succeed(f"find {workload.directory} -name '*.conf' -exec cat {{}} +"),
        machine.machine.succeed(
            f"for unit in {units}; do tr '\\0' '\\n' </proc/$(systemctl show -P MainPID $unit)/environ | grep ^VERSION=; done"
        ),
    )
