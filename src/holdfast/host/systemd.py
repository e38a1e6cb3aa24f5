"""The systemd of this machine: what its units do, and jobs for them whose ends are waited for by signals.

See org.freedesktop.systemd1(5). The private socket is asked, so neither a bus daemon nor its restart matters.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from jeepney import DBusAddress, HeaderFields, Properties, new_method_call

from holdfast.base import process
from holdfast.base.bus import MANAGER, SYSTEMD, Bus, BusError, unit_path
from holdfast.base.errors import HoldfastError
from holdfast.host.steps import UnitJob

_PRIVATE = "/run/systemd/private"
_RELOAD_SECONDS = 120.0
_JOB_SECONDS = 300.0
_SETTLE_SECONDS = 0.3
"""How long a service that counts as started as soon as it was forked is watched for ending at once, from when its program runs."""
_EXEC_SECONDS = 10.0
_FORK_SECONDS = 0.02
"""No signal tells when a process becomes the service's program."""
_JOURNAL_LINES = 15
_NO_SUCH_UNIT = f"{SYSTEMD}.NoSuchUnit"

_METHODS = {
    "start": "StartUnit",
    "stop": "StopUnit",
    "restart": "RestartUnit",
    "reload": "ReloadOrRestartUnit",
}
_GOOD = frozenset({"done", "skipped"})


@dataclass(frozen=True)
class UnitState:
    """What a unit is doing; see systemd(1) for the states."""

    load: str
    active: str
    sub: str

    @property
    def runs(self) -> bool:
        return self.active in ("active", "activating", "reloading", "refreshing")


@dataclass(frozen=True)
class _Outcome:
    unit: str
    verb: str
    result: str


def connect() -> Systemd | None:
    """The systemd that runs this machine, or None where none answers or we may not ask it."""
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        connected.connect(_PRIVATE)
    except OSError:
        connected.close()
        return None
    return Systemd(Bus(connected, whose="this machine"))


class Systemd:
    """A connection to the manager. Of one thread."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def states(self) -> Mapping[str, UnitState]:
        """Every unit that systemd has loaded; others are inactive."""
        answer = self._bus.request(new_method_call(MANAGER, "ListUnits"), "a(ssssssouso)")
        rows = cast("Sequence[tuple[str, ...]]", answer[0])
        return {row[0]: UnitState(row[2], row[3], row[4]) for row in rows}

    def failed(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, state in self.states().items() if state.active == "failed"))

    def reload(self) -> None:
        """daemon-reload: read every unit file anew.

        Raises:
            HoldfastError: it does not answer in time; a manager that is busy finishes it later.
        """
        try:
            self._bus.request(new_method_call(MANAGER, "Reload"), "", seconds=_RELOAD_SECONDS)
        except BusError as error:
            raise HoldfastError(
                "systemd could not read its unit files anew (daemon-reload)",
                details=str(error),
                resolution="`systemctl list-jobs` and `journalctl -b _PID=1` tell what keeps it busy.",
            ) from error

    def do(self, jobs: Sequence[UnitJob], *, seconds: float = _JOB_SECONDS) -> None:
        """Have systemd do all jobs together, in the order that the units themselves ask for, and wait for their ends.

        Raises:
            HoldfastError: some failed; tells each one's result and the end of its journal.
        """
        since = time.time()
        self._bus.wait_for_signals(0.0)  # what was before is of no interest
        waiting: dict[str, UnitJob] = {}
        outcomes: list[_Outcome] = []
        for job in jobs:
            if job.user is not None:
                continue  # user managers read their units anew by themselves, see ReloadManager
            if job.verb != "stop":
                self._forget_failures(job.unit)
            try:
                call = new_method_call(MANAGER, _METHODS[job.verb], "ss", (job.unit, "replace"))
                (path,) = self._bus.request(call, "o")
                waiting[str(path)] = job
            except BusError as error:
                if job.verb == "stop" and error.name == _NO_SUCH_UNIT:
                    continue
                outcomes.append(_Outcome(job.unit, job.verb, error.brief))
        outcomes += self._wait(waiting, seconds)
        started = [job.unit for job in jobs if job.verb in ("start", "restart") and job.user is None]
        ended = {outcome.unit for outcome in outcomes if outcome.result not in _GOOD}
        outcomes += self._dying([unit for unit in started if unit not in ended])
        bad = [outcome for outcome in outcomes if outcome.result not in _GOOD]
        if bad:
            raise self._failure(bad, since)

    def _forget_failures(self, unit: str) -> None:
        """What we start was asked for, so how often that was done lately (StartLimitBurst=) must not forbid it: above all not going back."""
        with suppress(BusError):  # one that is not loaded has no failures
            self._bus.request(new_method_call(MANAGER, "ResetFailedUnit", "s", (unit,)), "")

    def _wait(self, waiting: dict[str, UnitJob], seconds: float) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        deadline = time.monotonic() + seconds
        while waiting and time.monotonic() < deadline:
            for signal in self._bus.wait_for_signals(min(5.0, deadline - time.monotonic())):
                if signal.header.fields.get(HeaderFields.member) != "JobRemoved":
                    continue
                _, path, _, result = cast("tuple[int, str, str, str]", signal.body)
                job = waiting.pop(path, None)
                if job is not None:
                    outcomes.append(_Outcome(job.unit, job.verb, result))
        late = f"not done within {seconds:g} seconds"
        return outcomes + [_Outcome(job.unit, job.verb, late) for job in waiting.values()]

    def _dying(self, started: Sequence[str]) -> list[_Outcome]:
        """Those of ``started`` that ended right after they counted as started."""
        watched = [name for name in started if self._property(name, "Type") in ("simple", "exec", "idle")]
        if not watched:
            return []
        end = time.monotonic() + _EXEC_SECONDS
        deadline: float | None = None
        while True:
            states = self.states()
            dead = [
                _Outcome(name, "start", "ended as soon as it had started")
                for name in watched
                if (state := states.get(name)) is not None
                and (state.active == "failed" or state.sub == "auto-restart")
            ]
            now = time.monotonic()
            if deadline is None and (now > end or not any(map(self._is_forked_only, watched))):
                deadline = now + _SETTLE_SECONDS
            if dead or (deadline is not None and now >= deadline):
                return dead
            self._bus.wait_for_signals(_FORK_SECONDS if deadline is None else deadline - now)

    def _is_forked_only(self, name: str) -> bool:
        """The service's process is still systemd's own program, which is about to become the service's."""
        pid = self._property(name, "MainPID")
        with suppress(OSError):
            return os.readlink(f"/proc/{pid}/exe").rpartition("/")[2].startswith("systemd")  # noqa: PTH115
        return False

    def _property(self, name: str, key: str) -> object:
        """A property of a service; None of anything else."""
        if not name.endswith(".service"):
            return None
        service = DBusAddress(unit_path(name), bus_name=SYSTEMD, interface=f"{SYSTEMD}.Service")
        with suppress(BusError):
            (value,) = self._bus.request(Properties(service).get(key), "v")
            return cast("tuple[str, object]", value)[1]
        return None

    def _failure(self, bad: Sequence[_Outcome], since: float) -> HoldfastError:
        parts: list[str] = []
        for outcome in bad:
            parts.append(f"{outcome.verb} {outcome.unit}: {outcome.result}")
            lines = self.journal(outcome.unit, since=since)
            parts += [f"  {line}" for line in lines.splitlines()]
        names = ", ".join(dict.fromkeys(outcome.unit for outcome in bad))
        return HoldfastError(
            f"systemd could not do what was asked of {names}",
            details="\n".join(parts),
            resolution=f"`systemctl status {bad[0].unit}` tells more.",
        )

    def journal(self, unit: str, *, since: float) -> str:
        """The last lines that a unit wrote after ``since`` (seconds since 1970); empty where there is no journal."""
        argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={_JOURNAL_LINES}"]
        with suppress(HoldfastError):
            done = process.run([*argv, f"--unit={unit}", f"--since=@{int(since)}"], check=False, timeout=20)
            return done.text.strip()
        return ""
