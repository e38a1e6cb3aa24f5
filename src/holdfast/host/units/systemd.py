"""The systemd of this machine: what its units do, and jobs for them whose ends are waited for by signals.

See org.freedesktop.systemd1(5). The private socket is asked, so neither a bus daemon nor its restart matters; where it cannot be
reached (it is no documented interface), the system bus is.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import cast

from jeepney import DBusAddress, HeaderFields, Message, Properties, new_method_call

from holdfast.base import process
from holdfast.base.bus import MANAGER, REPLY_SECONDS, SYSTEMD, Bus, BusError, unit_at, unit_path
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message
from holdfast.base.records import dataclass
from holdfast.host.steps import UnitJob
from holdfast.host.units.states import Relations, UnitState

_PRIVATE = "/run/systemd/private"
_SYSTEM_BUS = "/run/dbus/system_bus_socket"
_USER_PRIVATE = "/run/user/{0}/systemd/private"
_BUS = DBusAddress("/org/freedesktop/DBus", bus_name="org.freedesktop.DBus", interface="org.freedesktop.DBus")
_RELOAD_SECONDS = 180.0
"""What systemctl(1) gives a reload at least."""
_JOB_SECONDS = 300.0
_LONGEST_SECONDS = 3600.0
"""Where the units themselves set no limit."""
_USER_SECONDS = 90.0
"""As long as a user's manager is waited for at most, whatever it says: it is the user's program, and may never answer."""
_SLOW_SECONDS = 10.0
"""After this a person is told what is waited for."""
_INFINITY = 2**64 - 1
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
class _Outcome:
    unit: str
    verb: str
    result: str


def connect() -> Systemd:
    """The systemd that runs this machine, through its private socket, or through the system bus where that cannot be had.

    Raises:
        HoldfastError: neither answers.
    """
    problems: list[str] = []
    for path, join in ((_PRIVATE, _trust), (_SYSTEM_BUS, _join)):
        try:
            bus = Bus(_connected(path), whose="this machine")
            try:
                return Systemd(bus, sender=join(bus))
            except BaseException:
                bus.close()
                raise
        except (OSError, BusError) as error:
            problems.append(f"{path}: {error}")
    raise HoldfastError(
        "systemd runs this machine, but it cannot be asked or told anything",
        details="\n".join(problems),
        resolution="Run the command as root. In a container, let it have the host's /run/systemd or one of its own, not a part of it.",
    )


def _connected(path: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        # How long connect(2) waits for a listener that accepts nobody, see socket(7).
        limit = struct.pack("@ll", *divmod(int(REPLY_SECONDS * 1e6), 1_000_000))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        connected.connect(path)
    except OSError:
        connected.close()
        raise
    return connected


def _trust(_bus: Bus) -> str | None:
    """The private socket sends its signals unasked, and nobody else's."""
    return None


def _join(bus: Bus) -> str | None:
    """What a message bus wants of a client before it carries signals to it; returns systemd's own name there."""
    bus.request(new_method_call(_BUS, "Hello"), "s")
    rule = f"type='signal',sender='{SYSTEMD}',interface='{SYSTEMD}.Manager',member='JobRemoved'"
    bus.request(new_method_call(_BUS, "AddMatch", "s", (rule,)), "")
    bus.request(new_method_call(MANAGER, "Subscribe"), "")
    (owner,) = bus.request(new_method_call(_BUS, "GetNameOwner", "s", (SYSTEMD,)), "s")
    return str(owner)


def connect_user(name: str, uid: int) -> Systemd | None:
    """The manager of a user's own units, or None where none runs. The socket is the user's: it may lead anywhere.

    Raises:
        HoldfastError: what answers there is no manager of that user.
    """
    path = _USER_PRIVATE.format(uid)
    try:
        connected = _connected(path)
    except BlockingIOError:
        raise HoldfastError(f"what listens at {path} does not accept connections") from None
    except OSError:
        return None
    credentials = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    owner = struct.unpack("3i", credentials)[1]
    if owner != uid:
        connected.close()
        raise HoldfastError(
            f"what listens at {path} belongs to the user with the number {owner}, not to {name}"
        )
    return Systemd(Bus(connected, whose=f"user {name}", seconds=_USER_SECONDS), uid=uid)


class Systemd:
    """A connection to the manager. Of one thread."""

    def __init__(self, bus: Bus, *, uid: int | None = None, sender: str | None = None) -> None:
        """``uid``: whose manager it is; None for the system's. ``sender``: of signals that count, where anybody can send some."""
        self._bus = bus
        self._uid = uid
        self._sender = sender

    @property
    def gone(self) -> bool:
        """It ended the connection, as it does when it is executed anew (`systemctl daemon-reexec`, or its package's upgrade)."""
        return self._bus.gone

    def close(self) -> None:
        self._bus.close()

    def states(self) -> Mapping[str, UnitState]:
        """Every unit that systemd has loaded; others are inactive."""
        answer = self._bus.request(new_method_call(MANAGER, "ListUnits"), "a(ssssssouso)")
        rows = cast("Sequence[tuple[str, ...]]", answer[0])
        return {row[0]: UnitState(row[2], row[3], row[4]) for row in rows}

    def failed(self) -> tuple[str, ...]:
        return tuple(sorted(name for name, state in self.states().items() if state.active == "failed"))

    def aliases(self, names: Iterable[str]) -> Mapping[str, str]:
        """The first names of those units that are loaded under another one."""
        found: dict[str, str] = {}
        for name in names:
            with suppress(BusError):  # it is not loaded
                (path,) = self._bus.request(new_method_call(MANAGER, "GetUnit", "s", (name,)), "o")
                first = unit_at(str(path))
                if first != name:
                    found[name] = first
        return found

    def relations(self, name: str) -> Relations:
        """What has a unit run. Nothing of a unit that cannot be loaded."""

        def names(key: str) -> tuple[str, ...]:
            value = self._property(name, key, "Unit")
            found = cast("list[object]", value) if isinstance(value, list) else []
            return tuple(name for name in found if isinstance(name, str))

        wanted = (*names("WantedBy"), *names("RequiredBy"), *names("UpheldBy"), *names("BoundBy"))
        on_bus = bool(self._property(name, "BusName", "Service")) if name.endswith(".service") else False
        return Relations(wanted, names("TriggeredBy"), names("Triggers"), on_bus)

    def reload(self) -> None:
        """daemon-reload: read every unit file anew, which waits for generators. The deadline follows DefaultTimeoutStartSec=.

        Raises:
            HoldfastError: it does not answer in time; a manager that is busy finishes it later.
        """
        limit = self._manager_property("DefaultTimeoutStartUSec")
        seconds = max(_RELOAD_SECONDS, 2 * _seconds(limit)) if isinstance(limit, int) else _RELOAD_SECONDS
        seconds = seconds if self._uid is None else _USER_SECONDS

        def slow() -> None:
            message(
                f"systemd of {self._bus.whose} still reads its units: generators or network file systems are slow",
            )

        try:
            call = new_method_call(MANAGER, "Reload")
            self._bus.request(call, "", seconds=seconds, slow=(_SLOW_SECONDS, slow))
        except BusError as error:
            raise HoldfastError(
                "systemd could not read its unit files anew (daemon-reload)",
                details=str(error),
                resolution="`systemctl list-jobs` and `journalctl -b _PID=1` tell what keeps it busy, often a slow generator. "
                "DefaultTimeoutStartSec= in systemd-system.conf(5) gives it more time: a reload has twice as long.",
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
        for job in jobs:
            if job.verb == "stop":
                self._forget_failures(job.unit)
        started = [job.unit for job in jobs if job.verb in ("start", "restart")]
        ended = {outcome.unit for outcome in outcomes if outcome.result not in _GOOD}
        outcomes += self._dying([unit for unit in started if unit not in ended])
        bad = [outcome for outcome in outcomes if outcome.result not in _GOOD]
        if bad:
            raise self._failure(bad, since)

    def _forget_failures(self, unit: str) -> None:
        """As `systemctl reset-failed`.

        What we start was asked for, so how often that was done lately (StartLimitBurst=) must not forbid it: above all not going
        back. What was to end has ended, however it took that: it is no failed unit any more.
        """
        with suppress(BusError):  # one that is not loaded has no failures
            self._bus.request(new_method_call(MANAGER, "ResetFailedUnit", "s", (unit,)), "")

    def _wait(self, waiting: dict[str, UnitJob], seconds: float) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        began = time.monotonic()
        seconds = seconds if self._uid is None else min(seconds, _USER_SECONDS)
        deadline, told, extended = min(began + seconds, self._bus.until), False, self._uid is not None
        while waiting:
            now = time.monotonic()
            if now >= deadline and not extended:
                extended, deadline = True, began + max(seconds, *map(self._patience, waiting.values()))
            if now >= deadline:
                break
            if now - began > _SLOW_SECONDS and not told:
                told = True
                message("waiting for " + ", ".join(f"{job.verb} {job.unit}" for job in waiting.values()))
            for signal in self._bus.wait_for_signals(min(5.0, deadline - now)):
                path, result = self._ended_job(signal)
                job = waiting.pop(path, None)
                if job is not None:
                    outcomes.append(_Outcome(job.unit, job.verb, result))
        late = f"not done within {deadline - began:g} seconds"
        return outcomes + [_Outcome(job.unit, job.verb, late) for job in waiting.values()]

    def _ended_job(self, signal: Message) -> tuple[str, str]:
        """The job that a signal says has ended, and how it ended; nothing of other signals."""
        fields = signal.header.fields
        is_theirs = self._sender is not None and fields.get(HeaderFields.sender) != self._sender
        is_other = fields.get(HeaderFields.member) != "JobRemoved"
        if is_theirs or is_other or fields.get(HeaderFields.signature) != "uoss":
            return "", ""
        _, path, _, result = cast("tuple[int, str, str, str]", signal.body)
        return path, result

    def _patience(self, job: UnitJob) -> float:
        """How long a unit itself may take by its definition; systemd ends it then."""
        kind = job.unit.rpartition(".")[2].capitalize()
        keys = ("TimeoutStartUSec", "TimeoutStopUSec") if kind == "Service" else ("TimeoutUSec",)
        limits = [self._property(job.unit, key, kind) for key in keys]
        return 60 + sum(_seconds(limit) for limit in limits if isinstance(limit, int))

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
        if not isinstance(pid, int):
            return False
        with suppress(OSError):
            return os.readlink(f"/proc/{pid}/exe").rpartition("/")[2].startswith("systemd")  # noqa: PTH115
        return False

    def _property(self, name: str, key: str, kind: str = "Service") -> object:
        """A property of a unit of that kind; None of any other."""
        if kind not in ("Unit", name.rpartition(".")[2].capitalize()):
            return None
        return self._get(DBusAddress(unit_path(name), bus_name=SYSTEMD, interface=f"{SYSTEMD}.{kind}"), key)

    def _manager_property(self, key: str) -> object:
        return self._get(MANAGER, key)

    def _get(self, address: DBusAddress, key: str) -> object:
        with suppress(BusError):
            (value,) = self._bus.request(Properties(address).get(key), "v")
            return cast("tuple[str, object]", value)[1]
        return None

    def _failure(self, bad: Sequence[_Outcome], since: float) -> HoldfastError:
        parts: list[str] = []
        for outcome in bad:
            parts.append(f"{outcome.verb} {outcome.unit}: {outcome.result}")
            lines = self.journal(outcome.unit, since=since)
            parts += [f"  {line}" for line in lines.splitlines()]
        names = ", ".join(dict.fromkeys(outcome.unit for outcome in bad))
        whose = "" if self._uid is None else f" of {self._bus.whose}"
        told = f"`systemctl status {bad[0].unit}`"
        if self._uid is not None:
            told = f"`systemctl --user status {bad[0].unit}`, as that user,"
        return HoldfastError(
            f"systemd could not do what was asked of {names}{whose}",
            details="\n".join(parts),
            resolution=f"{told} tells more.",
        )

    def journal(self, unit: str, *, since: float) -> str:
        """The last lines that a unit wrote after ``since`` (seconds since 1970); empty where there is no journal."""
        argv = ["journalctl", "--quiet", "--no-pager", "--output=cat", f"--lines={_JOURNAL_LINES}"]
        ours = [f"_SYSTEMD_USER_UNIT={unit}", f"_UID={self._uid}"]
        which = [f"--unit={unit}"] if self._uid is None else ours
        with suppress(HoldfastError):
            done = process.run([*argv, f"--since=@{int(since)}", *which], check=False, timeout=20)
            return done.text.strip()
        return ""


def _seconds(microseconds: int) -> float:
    """A limit of systemd's in seconds; no limit is a long one."""
    return _LONGEST_SECONDS if microseconds >= _INFINITY else microseconds / 1e6
