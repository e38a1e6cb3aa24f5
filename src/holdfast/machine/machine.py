"""One API for running systems, whatever runs them: the verbs of the NixOS test driver, with typed results."""

from __future__ import annotations

import os
import shlex
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.base.process import Completed, ProcessError
from holdfast.machine import forwarding, transfer, web
from holdfast.machine.backend import Backend
from holdfast.machine.bus import SystemdBus
from holdfast.machine.results import HttpResponse, Shutdown, Unit
from holdfast.machine.waiting import Deadline

Command = str | Sequence[str | Path]
"""A shell script for ``sh -e``, or an argv list."""

_LOGIN = {"HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}
_TAIL_LINES = 25


class Machine:
    """A running system. Get one from :func:`holdfast.machine.boot`. Its verbs may be used from several threads."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def name(self) -> str:
        return self._backend.name

    # ----- commands

    def execute(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
        stdin: bytes = b"",
        timeout: float = 900,
    ) -> Completed:
        """Run a command as root, whatever its exit code (negative for a signal).

        Raises:
            HoldfastError: it ran for more than ``timeout`` seconds (and was killed), is not there, or the machine has stopped.
        """
        return self._run(command, env=env, cwd=cwd, stdin=stdin, timeout=timeout, check=False)

    def succeed(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/root",
        stdin: bytes = b"",
        timeout: float = 900,
    ) -> str:
        """Run a command that must succeed; its stdout.

        Raises:
            ProcessError: it failed; names the machine.
            HoldfastError: as for :meth:`execute`.
        """
        return self._run(command, env=env, cwd=cwd, stdin=stdin, timeout=timeout, check=True).text

    def fail(self, command: Command, *, timeout: float = 900) -> Completed:
        """Run a command that must fail.

        Raises:
            HoldfastError: it succeeded, or as for :meth:`execute`.
        """
        done = self.execute(command, timeout=timeout)
        if done.returncode == 0:
            raise HoldfastError(
                f"{shlex.join(done.argv)} succeeded on {self.name}, but should have failed", details=done.text
            )
        return done

    def shell(self, command: Command = ("/bin/sh", "-l")) -> int:
        """Run an interactive program on the person's terminal; its exit code. From the main thread alone."""
        words = {**_LOGIN, "TERM": os.environ.get("TERM", "dumb")}
        return self._backend.attach(_words(command), words)

    def attach(self, command: Command) -> int:
        """Run a program on this process's own stdin, stdout and stderr, whatever they are; its exit code."""
        return process.attach((*self._backend.enter("/root"), *_words(command)), env=_LOGIN)

    # ----- units

    def wait_for_unit(self, name: str, *, timeout: float = 60) -> Unit:
        """Wait until a unit is active.

        Raises:
            NotInTime: it was not, within ``timeout`` seconds; with the end of its journal.
            HoldfastError: it failed, does not exist, or nothing is going to start it.
        """
        deadline = self._deadline(timeout, f"{name} of {self.name}", unit=name)
        with self._bus() as bus:
            unit = bus.unit(name)
            while unit.active_state != "active":
                self._refuse_hopeless(bus, unit)
                if deadline.left == 0 or not bus.wait_for_signal(deadline.left):
                    raise deadline.missed(f"It is {unit.active_state} ({unit.sub_state}).")
                unit = bus.unit(name)
            return unit

    def unit(self, name: str) -> Unit:
        """A unit's state now."""
        with self._bus() as bus:
            return bus.unit(name)

    def units(self, *states: str) -> tuple[Unit, ...]:
        """All units in memory, or those in one of ``states``."""
        with self._bus() as bus:
            return bus.units(states=states)

    def failed_units(self) -> tuple[Unit, ...]:
        return self.units("failed")

    def unit_properties(self, name: str) -> Mapping[str, str]:
        """Everything ``systemctl show`` knows of a unit; an empty name asks for the manager's own properties."""
        lines = self.succeed(["systemctl", "show", "--all", *([name] if name else [])]).splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def systemctl(self, *words: str, timeout: float = 120) -> str:
        """Run systemctl, which must succeed; its stdout."""
        return self.succeed(["systemctl", "--no-pager", *words], timeout=timeout)

    def system_state(self) -> str:
        """``running``, ``degraded``, ``starting`` and so on, as ``systemctl is-system-running`` says."""
        with self._bus() as bus:
            return str(bus.manager("SystemState"))

    def journal(self, unit: str | None = None, *, lines: int | None = None) -> str:
        """The journal of this boot, of one unit if given, the last ``lines`` if given."""
        words = ["journalctl", "--no-pager", "--quiet", "--boot", "--output=short-precise"]
        words += [f"--unit={unit}"] if unit else []
        words += [f"--lines={lines}"] if lines is not None else []
        return self.succeed(words)

    # ----- other waits

    def wait_until_succeeds(self, command: Command, *, timeout: float = 60) -> str:
        """Repeat a command until it succeeds; its stdout then.

        Raises:
            NotInTime: it never did, within ``timeout`` seconds; with its last output.
        """
        return self._repeat(command, timeout=timeout, wanted=True).text

    def wait_until_fails(self, command: Command, *, timeout: float = 60) -> Completed:
        """Repeat a command until it fails.

        Raises:
            NotInTime: it never did, within ``timeout`` seconds; with its last output.
        """
        return self._repeat(command, timeout=timeout, wanted=False)

    def wait_for_file(self, path: str, *, timeout: float = 60) -> None:
        """Wait until a path exists.

        Raises:
            NotInTime: it did not, within ``timeout`` seconds.
        """
        deadline = self._deadline(timeout, f"the file {path} on {self.name}")
        for _ in deadline.attempts():
            if self.execute(["test", "-e", path]).returncode == 0:
                return
        raise deadline.missed()

    def wait_for_open_port(self, port: int, *, host: str = "127.0.0.1", timeout: float = 60) -> None:
        """Wait until a TCP port accepts connections, tried from inside the machine.

        Raises:
            NotInTime: it did not, within ``timeout`` seconds; with what listens instead.
        """
        deadline = self._deadline(timeout, f"port {port} of {self.name}")
        last = ""
        for _ in deadline.attempts():
            try:
                self._backend.connect(host, port, max(deadline.left, 0.1)).close()
                return
            except OSError as error:
                last = f"The last attempt: {error}."
        raise deadline.missed(last)

    def wait_for_closed_port(self, port: int, *, host: str = "127.0.0.1", timeout: float = 60) -> None:
        """Wait until nothing accepts connections on a TCP port.

        Raises:
            NotInTime: something still did after ``timeout`` seconds.
        """
        deadline = self._deadline(timeout, f"port {port} of {self.name} to close")
        for _ in deadline.attempts():
            try:
                self._backend.connect(host, port, max(deadline.left, 0.1)).close()
            except OSError:
                return
        raise deadline.missed()

    # ----- files and the web

    def copy_to(self, source: Path, target: str) -> None:
        """Copy a file or a tree to the path ``target``, owned by root; parents are made, modes kept, what is there replaced.

        Raises:
            HoldfastError: ``source`` is missing or cannot be read, or the machine has no room.
        """
        parent, name = transfer.split(target)
        archive = transfer.pack(source, name)
        script = 'mkdir -p -- "$1" && exec tar -x -p -f - -C "$1" --no-same-owner'
        self.succeed(["sh", "-c", script, "copy-to", parent], stdin=archive)

    def copy_from(self, source: str, target: Path) -> None:
        """Copy a file or a tree of the machine to the path ``target``: regular files, directories and links alone.

        A link at ``source`` itself is followed: copied as a link, it would name a file of this machine.

        Raises:
            HoldfastError: ``source`` is missing, or ``target`` is there already.
        """
        transfer.split(source)
        found = self.execute(["readlink", "-e", "--", source])
        if found.returncode != 0:
            raise HoldfastError(f"{source} is not there on the machine {self.name}")
        parent, name = transfer.split(found.text.removesuffix("\n"))
        done = self.execute(["tar", "-c", "-f", "-", "-C", parent, "--", name])
        if done.returncode != 0:
            raise self._failure(
                ProcessError(done.argv, done.returncode, done.stderr.decode(errors="replace"))
            )
        transfer.unpack(done.stdout, name, target)

    def read_file(self, path: str) -> str:
        """A file's text.

        Raises:
            ProcessError: it cannot be read.
        """
        return self.succeed(["cat", "--", path])

    def write_file(self, path: str, text: str) -> None:
        """Replace a file's content; parents are made."""
        parent, _ = transfer.split(path)
        script = 'mkdir -p -- "$1" && exec cat >"$2"'
        self.succeed(["sh", "-c", script, "write-file", parent, path], stdin=text.encode())

    def http_get(
        self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 30
    ) -> HttpResponse:
        """One GET request from inside the machine; redirects are returned, not followed.

        Raises:
            HoldfastError: no answer; says whether nobody listened or the answer was no HTTP.
        """
        return web.get(url, headers or {}, timeout, self._backend.connect, self.name)

    def forward(self, port: int, *, host: str = "127.0.0.1") -> AbstractContextManager[int]:
        """A port on our own 127.0.0.1 that leads to ``port`` of the machine, as ssh and its like need it, during a ``with`` body."""
        return forwarding.forward(lambda: self._backend.connect(host, port, 10), name=self.name)

    # ----- the machine itself

    def console_log(self) -> str:
        """What the system wrote to its console so far."""
        return self._backend.console()

    def reboot(self, *, timeout: float = 120) -> None:
        """Restart the system and wait until it is ready; what was written to its file system stays.

        Raises:
            NotInTime: it was not, within ``timeout`` seconds.
        """
        self._backend.restart(timeout)

    def shutdown(self, *, timeout: float = 30) -> Shutdown:
        """Power the system off from inside, and kill it if it has not ended after ``timeout`` seconds."""
        return self._backend.power_off(timeout)

    # ----- inside

    def _run(
        self,
        command: Command,
        *,
        env: Mapping[str, str] | None,
        cwd: str,
        stdin: bytes,
        timeout: float,
        check: bool,
    ) -> Completed:
        words = _words(command)
        line = (*self._backend.enter_and_wait(cwd), *words)
        try:
            done = process.run(
                line, env={**_LOGIN, **(env or {})}, stdin=stdin, check=check, timeout=timeout, shown=words
            )
        except HoldfastError as error:
            raise self._failure(error) from None
        said = done.stderr.decode(errors="replace")
        if done.returncode in (126, 127) and said.startswith("nsenter: failed to execute"):
            raise HoldfastError(f"cannot run {words[0]} on {self.name}", details=said.strip())
        return done

    def _failure(self, error: HoldfastError) -> HoldfastError:
        error.details += f"\nIt ran on the machine {self.name}"
        return error

    def _repeat(self, command: Command, *, timeout: float, wanted: bool) -> Completed:
        line = shlex.join(_words(command))
        deadline = self._deadline(timeout, f"{line} to {'succeed' if wanted else 'fail'} on {self.name}")
        said = ""
        for _ in deadline.attempts():
            done = self.execute(command, timeout=max(deadline.left, 1.0))
            if (done.returncode == 0) is wanted:
                return done
            said = (done.stderr + done.stdout).decode(errors="replace").strip()
        raise deadline.missed(said)

    @contextmanager
    def _bus(self) -> Generator[SystemdBus]:
        with SystemdBus(self._backend.connect_systemd(), whose=self.name) as bus:
            yield bus

    def _refuse_hopeless(self, bus: SystemdBus, unit: Unit) -> None:
        if unit.load_state in ("not-found", "masked", "bad-setting", "error"):
            raise HoldfastError(f"{unit.name} of {self.name} cannot become active: it is {unit.load_state}")
        if unit.active_state == "failed":
            raise HoldfastError(f"{unit.name} of {self.name} has failed", details=self._evidence(unit.name))
        idle = unit.active_state == "inactive" and not unit.has_job and bus.manager("NJobs") == 0
        # It may have changed between the two questions, so the first is asked again.
        if idle and bus.unit(unit.name).active_state == "inactive":
            raise HoldfastError(
                f"{unit.name} of {self.name} is inactive and nothing is going to start it",
                details=self._evidence(unit.name),
                resolution=f"Start it: machine.systemctl('start', {unit.name!r}).",
            )

    def _deadline(self, seconds: float, waiting_for: str, *, unit: str | None = None) -> Deadline:
        return Deadline.after(seconds, waiting_for, lambda: self._evidence(unit))

    def _evidence(self, unit: str | None) -> str:
        """The end of the unit's journal, or of the whole one if that is empty, or of the console when there is none."""
        words = ["journalctl", "--no-pager", "--quiet", "--boot", f"--lines={_TAIL_LINES}"]
        places = [(f"The end of the journal of {unit}:", [f"--unit={unit}"])] if unit else []
        for title, more in [*places, ("The end of the journal:", [])]:
            with suppress(HoldfastError):
                text = self.execute([*words, *more], timeout=10).text.strip()
                if text:
                    return f"{title}\n{text}"
        return "\n".join(["The end of the console:", *self.console_log().splitlines()[-_TAIL_LINES:]])


def _words(command: Command) -> tuple[str, ...]:
    if isinstance(command, str):
        return ("/bin/sh", "-ec", command)
    return tuple(str(word) for word in command)
