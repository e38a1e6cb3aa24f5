"""Machines in containers: systemd-nspawn(1) on an overlay, in namespaces that vanish with this process (ADR 0006).

nspawn runs inside a PID and a mount namespace kept by :mod:`holdfast.sandbox.holder`. So whatever kills us, the container, its
mounts and its network are gone with us, and nspawn's own traces in ``/run`` are never the machine's.
"""

from __future__ import annotations

import dataclasses
import os
import re
import select
import signal
import socket
import stat
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from holdfast.base import process
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import message, stage
from holdfast.base.records import dataclass
from holdfast.machine import cgroups
from holdfast.machine.connections import connect_tcp, connect_unix
from holdfast.machine.machine import Machine
from holdfast.machine.notify import Notifications
from holdfast.machine.results import Shutdown
from holdfast.machine.waiting import Deadline
from holdfast.sandbox import kernel, terminal
from holdfast.sandbox.holder import hold
from holdfast.sandbox.mounts import anchor, mount_root
from holdfast.sandbox.root import Bind, Root, Scratch

if TYPE_CHECKING:
    from holdfast.store import Artifact, Store

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|\r")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_POWER_OFF, _REBOOT = signal.SIGRTMIN + 4, signal.SIGRTMIN + 5  # systemd(1), SIGNALS
_PRIVATE = "/run/systemd/private"
_JOIN = 'echo 0 >"$1/cgroup.procs" && shift && exec "$@"'
_TAIL_LINES = 40


@dataclass(frozen=True)
class Settings:
    """How a container is run, apart from what it is made of."""

    name: str = "machine"
    """A host name label; also the container's host name if its root has no ``/etc/hostname``."""
    upper: Path | Scratch = field(default_factory=Scratch)
    """Where changes go: memory by default, or a directory to keep."""
    volatile: bool = True
    """Nothing inside waits for the disk (fsync(2) does nothing); False where what it wrote must outlast a power cut."""
    binds: Mapping[str, Bind] = field(default_factory=dict[str, Bind])
    network: bool = False
    """Use this machine's network instead of a private one with ``lo`` alone."""
    boot_seconds: float = 60
    """Until systemd inside says that it is ready."""
    shutdown_seconds: float = 30
    """At the end of the ``with`` block."""


@contextmanager
def boot(
    store: Store, artifact: Artifact, *, name: str | None = None, settings: Settings | None = None
) -> Generator[Machine]:
    """Boot an artifact of the store during the body; the garbage collector keeps it meanwhile.

    ``name`` goes before the one in ``settings``.

    Raises:
        HoldfastError: as for :func:`boot_layers`; or a layer is not in the store.
    """
    settings = _named(name, settings)
    digests = [artifact.manifest, *(layer.diff_id for layer in artifact.layers)]
    with store.lease(f"machine {settings.name}", digests):
        layers = tuple(store.trees.ensure(layer.diff_id) for layer in artifact.layers)
        with boot_layers(layers, settings=settings) as machine:
            yield machine


@contextmanager
def boot_layers(
    layers: tuple[Path, ...], *, name: str | None = None, settings: Settings | None = None
) -> Generator[Machine]:
    """Boot a stack of trees (bottom first) during the body, on an overlay, and power it off afterwards.

    ``name`` goes before the one in ``settings``.

    Raises:
        NotInTime: systemd inside was not ready in time; with the end of the console.
        HoldfastError: nspawn is not installed, the container ended while it started, or this process may not mount.
    """
    settings = _named(name, settings)
    if not _NAME.fullmatch(settings.name):
        raise HoldfastError(f"{settings.name!r} is no name for a machine: use a-z, 0-9 and -")
    with _started(layers, settings) as container:
        with stage(f"Booting {settings.name}"):
            container.wait_until_ready(settings.boot_seconds)
        yield Machine(container)


def _named(name: str | None, settings: Settings | None) -> Settings:
    settings = settings or Settings()
    return settings if name is None else dataclasses.replace(settings, name=name)


@contextmanager
def _started(layers: tuple[Path, ...], settings: Settings) -> Generator[Container]:
    stand = anchor()

    def prepare() -> Path:
        cgroups.show_unified()
        # nspawn keeps locks and propagation directories there; ours must not meet the machine's.
        Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
        kernel.mount("nspawn", "/run/systemd/nspawn", "tmpfs", 0, "mode=0755,size=4m")
        place = mount_root(Root(layers, upper=settings.upper, volatile=settings.volatile), stand)
        with explain_os_errors("prepare /etc/machine-id of the root file system"):
            _empty_machine_id(place)
        return place

    with ExitStack() as stack:
        held = stack.enter_context(hold(prepare, namespaces=0, proc=lambda _: Path("/proc")))
        view = Path(f"/proc/{held.pid}/root")
        group = cgroups.make_group(settings.name, holder=held.pid, view=view / "sys/fs/cgroup")
        seen = view / str(group).lstrip("/")
        stack.callback(cgroups.remove, seen)
        notifications = stack.enter_context(Notifications())
        console = os.memfd_create("console", os.MFD_CLOEXEC)
        stack.callback(os.close, console)
        # In a session of its own: Ctrl-C on the person's terminal is for us to handle, in order.
        line = [
            "setsid",
            *held.enter(),
            "sh",
            "-c",
            _JOIN,
            "sh",
            str(group),
            *_command_line(held.place, settings),
        ]
        environment = {"NOTIFY_SOCKET": notifications.address, "SYSTEMD_LOG_COLOR": "0"}
        container = Container(
            settings,
            lambda: process.spawn(line, env=environment, output=console),
            console,
            notifications,
            seen,
        )
        # Registered last, so it comes first: then nothing of the above has anything left to do by force.
        stack.callback(container.close)
        container.start()
        yield container


def _command_line(root: Path, settings: Settings) -> list[str]:
    words = [
        "systemd-nspawn",
        "--quiet",
        "--boot",
        f"--directory={root}",
        f"--machine={settings.name}",
        "--settings=no",
        "--register=no",
        "--keep-unit",
        "--notify-ready=yes",
        "--link-journal=no",
        "--resolv-conf=off",
        "--timezone=off",
        "--console=read-only",
        "--kill-signal=SIGRTMIN+4",
    ]
    words += [] if settings.network else ["--private-network"]
    for target, bind in sorted(settings.binds.items()):
        option = "--bind" if bind.writable else "--bind-ro"
        words.append(f"{option}={_escape(str(bind.source.absolute()))}:{_escape(target)}")
    return words


def _escape(path: str) -> str:
    return path.replace("\\", "\\\\").replace(":", "\\:")


def _empty_machine_id(root: Path) -> None:
    """Make ``/etc/machine-id`` an empty file unless it holds an id: then systemd takes nspawn's.

    A missing or "uninitialized" one means first boot (machine-id(5)), whose presets start what waits a minute for a network.
    """
    with suppress(FileExistsError):
        (root / "etc").mkdir()
    etc = os.open(root / "etc", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open("machine-id", flags, 0o444, dir_fd=etc)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise HoldfastError("/etc/machine-id of the root file system is no regular file")
            if len(os.read(descriptor, 64).strip()) != 32:
                os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)
    finally:
        os.close(etc)


class Leader:
    """The first process of a container, by pidfd: a number alone may come to mean another process (pidfd_open(2))."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def has_ended(self, seconds: float) -> bool:
        """Whether it has, or does so within ``seconds``."""
        return _is_over(self._descriptor, seconds)

    def signal(self, number: int) -> None:
        signal.pidfd_send_signal(self._descriptor, number)

    def close(self) -> None:
        os.close(self._descriptor)


def _is_over(descriptor: int, seconds: float) -> bool:
    return _readable([descriptor], seconds) == [descriptor]


def _readable(descriptors: Sequence[int], seconds: float) -> list[int]:
    """Those with something to read, waited for; select(2) knows no descriptor beyond 1023."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(seconds * 1000)]


class Process(Protocol):
    @property
    def pid(self) -> int: ...


class Container:
    """A running nspawn: the backend of a :class:`~holdfast.machine.machine.Machine`."""

    def __init__(
        self,
        settings: Settings,
        launch: Callable[[], AbstractContextManager[Process]],
        console: int,
        notifications: Notifications,
        group: Path,
    ) -> None:
        self._settings = settings
        self._launch = launch
        self._nspawn = ExitStack()
        self._ended = -1
        self._console = console
        self._notifications = notifications
        self._group = group
        self._leader: Leader | None = None
        self._shutdown: Shutdown | None = None
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self._settings.name

    def start(self) -> None:
        self._notifications.ready = False
        self._ended = os.pidfd_open(self._nspawn.enter_context(self._launch()).pid)
        self._nspawn.callback(os.close, self._ended)

    def wait_until_ready(self, seconds: float) -> None:
        """Until systemd inside reports READY=1, which nspawn passes on (sd_notify(3)).

        Raises:
            NotInTime: it did not.
            HoldfastError: the container ended instead.
        """
        deadline = Deadline.after(seconds, f"the start of {self.name}", lambda: "")
        while not self._notifications.ready:
            arrived = self._notifications.fileno()
            readable = _readable([arrived, self._ended], deadline.left)
            if arrived in readable:
                self._notifications.look()
            elif self._ended in readable:
                raise HoldfastError(f"{self.name} ended while it started", details=self._console_tail())
            else:
                state = self._notifications.status or "nspawn did not start it"
                raise deadline.missed(f"The last it said: {state}\n{self._console_tail()}")
        self._leader = self._find_leader()

    def restart(self, seconds: float) -> None:
        deadline = Deadline.after(seconds, f"{self.name} to go down", self._console_tail)
        leader = self._running()
        leader.signal(_REBOOT)
        # Told to keep its unit, nspawn leaves restarting to others and ends (its exit code 133 means just that).
        if not _is_over(self._ended, deadline.left):
            raise deadline.missed()
        self._leader = None
        leader.close()
        self._nspawn.close()
        self.start()
        self.wait_until_ready(deadline.left)

    def enter(self, cwd: str) -> tuple[str, ...]:
        return self._nsenter(
            "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", f"--wdns={cwd}"
        )

    def enter_and_wait(self, cwd: str) -> tuple[str, ...]:
        # nsenter stops when its child is stopped, as a shutdown does to all processes, and never reaps it then: the system
        # could not end. timeout(1), without a time, waits in its place: for ends alone, and where no shutdown sees it.
        wait = ("timeout", "--foreground", "0")
        inside = self._nsenter("--mount", "--uts", "--ipc", "--net", "--cgroup", "--root", f"--wdns={cwd}")
        return (*self._nsenter("--pid", "--no-fork"), *wait, *inside)

    def _nsenter(self, *options: str) -> tuple[str, ...]:
        return ("nsenter", f"--target={self._running().pid}", *options, "--")

    def attach(self, argv: Sequence[str], env: Mapping[str, str]) -> int:
        root = Path(f"/proc/{self._running().pid}/root")
        return terminal.attach((*self.enter("/root"), "setsid", "--ctty", *argv), root=root, env=env)

    def connect_systemd(self) -> socket.socket:
        return connect_unix(self._running().pid, _PRIVATE)

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        return connect_tcp(f"/proc/{self._running().pid}/ns/net", host, port, seconds)

    def console(self) -> str:
        size = os.fstat(self._console).st_size
        text = _CONTROL.sub(b"", os.pread(self._console, size, 0)).decode(errors="replace")
        # Sequences cut up by others may be whole again now, and this text is shown on people's terminals.
        return _UNPRINTABLE.sub("", text)

    def power_off(self, seconds: float) -> Shutdown:
        with self._lock:
            if self._shutdown is None:
                self._shutdown = self._power_off(seconds)
            return self._shutdown

    def close(self) -> None:
        """Power off if that did not happen yet, and forget the container."""
        try:
            if self.power_off(self._settings.shutdown_seconds).forced:
                message(f"{self.name} did not power itself off and was killed", level="warning")
        finally:
            self._nspawn.close()
            if self._leader is not None:
                self._leader.close()

    def _power_off(self, seconds: float) -> Shutdown:
        started = time.monotonic()
        if self._leader is not None:
            with suppress(ProcessLookupError):
                self._leader.signal(_POWER_OFF)
        if _is_over(self._ended, seconds if self._leader is not None else 0):
            return Shutdown(time.monotonic() - started, forced=False)
        cgroups.kill(self._group, 5)
        _is_over(self._ended, 5)
        return Shutdown(time.monotonic() - started, forced=True)

    def _running(self) -> Leader:
        """The first process of the container.

        Raises:
            HoldfastError: the machine has stopped.
        """
        if self._leader is None or self._shutdown is not None or self._leader.has_ended(0):
            raise HoldfastError(
                f"{self.name} has stopped",
                details=f"The end of its console:\n{self._console_tail()}",
                resolution="If it was to restart, use machine.reboot(), which waits until it is up again.",
            )
        return self._leader

    def _find_leader(self) -> Leader:
        """nspawn tells a number of its own PID namespace; control groups list processes in the numbers of the reader."""
        group = self._group / "payload/init.scope/cgroup.procs"
        with suppress(OSError):  # it has ended meanwhile
            for pid in group.read_text().split():
                ids = re.search(r"^NSpid:\t(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
                if ids is not None and ids[1].split()[-2:] == [str(self._notifications.leader), "1"]:
                    return Leader(int(pid))
        raise HoldfastError(
            f"the first process of {self.name} cannot be found",
            details=f"nspawn called it {self._notifications.leader}; it is not in {group}.\n{self._console_tail()}",
        )

    def _console_tail(self) -> str:
        return "\n".join(self.console().splitlines()[-_TAIL_LINES:])
