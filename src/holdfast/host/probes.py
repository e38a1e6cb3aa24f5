"""Whether the machine is well after a change: declared probes, each until it succeeds, and units that failed and had not before."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from urllib.parse import urlsplit

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.host.live import Live
from holdfast.host.steps import ProbeHealth, Step
from holdfast.manifest.model import CommandProbe, HttpProbe, Probe, TcpProbe, UnitProbe

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_ONE_TRY_SECONDS = 10.0


def do(step: Step, live: Live) -> None:
    """Wait for every probe, up to the deadline; then compare failed units.

    Raises:
        HoldfastError: a probe never succeeded, or a unit failed; each with what was last seen of it.
    """
    assert isinstance(step, ProbeHealth)
    health = step.health
    end = time.monotonic() + health.deadline
    problems: list[str] = []
    ordinary = [(name, probe) for name, probe in sorted(health.probes.items()) if probe.kind != "unit"]

    def attend(item: tuple[str, Probe]) -> str:
        return _until(item[0], lambda: _try(item[1]), end)

    if ordinary:
        from concurrent.futures import ThreadPoolExecutor  # 10 ms that most changes do not need

        with ThreadPoolExecutor(len(ordinary), thread_name_prefix="probe") as pool:
            problems += filter(None, pool.map(attend, ordinary))
    for name, probe in sorted(health.probes.items()):
        if isinstance(probe, UnitProbe):  # not in a thread: the connection to systemd is of one
            unit = probe.unit
            problems += filter(None, [_until(name, partial(_try_unit, unit, live), end)])
    problems += _failed_units(step, live)
    if problems:
        raise HoldfastError("the machine is not well after the change", details="\n".join(problems))


def undo(step: Step, live: Live) -> None:
    """Looking leaves nothing behind."""


def _failed_units(step: ProbeHealth, live: Live) -> list[str]:
    if live.systemd is None:
        return []
    known = {*step.failed_before, *step.health.may_fail}
    return [
        "\n".join([f"{unit} has failed, and had not before", *_indented(live.systemd.journal(unit, since=0))])
        for unit in live.systemd.failed()
        if unit not in known
    ]


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _until(name: str, attempt: Callable[[], str], end: float) -> str:
    """Try until it succeeds or the time is up; what the last try said was wrong, or nothing."""
    pause = _FIRST_PAUSE
    while True:
        problem = attempt()
        if not problem:
            return ""
        if time.monotonic() + pause >= end:
            return f"probe {name!r}: {problem}"
        time.sleep(pause)  # what is probed tells nobody when it becomes well
        pause = min(_LONGEST_PAUSE, pause * 2)


def _try(probe: Probe) -> str:
    """What is wrong, or nothing."""
    try:
        if isinstance(probe, CommandProbe):
            done = process.run(probe.command, check=False, timeout=_ONE_TRY_SECONDS)
            said = (done.stderr + done.stdout).decode(errors="replace").strip()[-500:]
            told = f"exit code {done.returncode}" + (f": {said}" if said else "")
            return "" if done.returncode == 0 else told
        if isinstance(probe, TcpProbe):
            socket.create_connection((probe.host, probe.port), timeout=_ONE_TRY_SECONDS).close()
            return ""
        if isinstance(probe, HttpProbe):
            return _try_http(probe)
    except HoldfastError as error:
        return error.brief
    except OSError as error:
        return f"{_asked(probe)}: {error}"
    return "no such kind of probe"


def _asked(probe: Probe) -> str:
    if isinstance(probe, TcpProbe):
        return f"{probe.host}:{probe.port}"
    return probe.url if isinstance(probe, HttpProbe) else ""


def _try_http(probe: HttpProbe) -> str:
    import http.client  # it brings TLS with it, which takes 20 ms to load

    parts = urlsplit(probe.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with closing(kind(parts.hostname or "", parts.port, timeout=_ONE_TRY_SECONDS)) as connection:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request("GET", target, headers={"Connection": "close", "User-Agent": "holdfast"})
            answer = connection.getresponse()
            body = answer.read(1 << 20).decode(errors="replace")
        except http.client.HTTPException as error:
            return f"{probe.url} gives no HTTP answer: {error!r}"
    if answer.status != probe.status:
        return f"{probe.url} answers with {answer.status}, not {probe.status}"
    if probe.contains not in body:
        return f"{probe.url} answers without {probe.contains!r}"
    return ""


def _try_unit(unit: str, live: Live) -> str:
    if live.systemd is None:
        return ""
    state = live.systemd.states().get(unit)
    active = state.active if state else "inactive"
    return "" if active == "active" else f"{unit} is {active}"
