"""What a change that runs in its own unit leaves in /run/holdfast: its request, its process, its events and its result.

::

    /run/holdfast/last          link to the newest run's directory
    /run/holdfast/runs/TOKEN/   request.json  process.json  events  result.json

The directories of runs that are over go when the next one starts.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.base.atomic import replace_link, write_atomically
from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.records import dataclass

HOME = Path("/run/holdfast")


@dataclass(frozen=True)
class Request:
    """What the run is to do."""

    arguments: tuple[str, ...]
    colour: bool
    started: int
    """Seconds since 1970."""

    def __str__(self) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(self.started))
        return f"`holdfast {' '.join(_for_people(self.arguments))}`, started at {at}"


@dataclass(frozen=True)
class Result:
    """How the run ended: with a result and its text, or with an error."""

    code: int
    result: JSON
    lines: tuple[str, ...]
    error: dict[str, JSON] | None


def _for_people(arguments: Sequence[str]) -> Iterator[str]:
    """What somebody typed, without what the author's side adds to it (pure)."""
    words = iter(arguments)
    for word in words:
        if word in ("--artifact", "--text"):
            next(words, None)
        elif word != "--json":
            yield word


class Run:
    """One run's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events = directory / "events"

    @property
    def request(self) -> Request:
        fields = json.loads((self.directory / "request.json").read_bytes())
        return Request(tuple(fields["arguments"]), bool(fields["colour"]), int(fields["started"]))

    @property
    def process(self) -> int | None:
        """The process that works, while it lives; None before and after."""
        try:
            fields = json.loads((self.directory / "process.json").read_bytes())
        except FileNotFoundError:
            return None
        process = int(fields["process"])
        return process if _start_time(process) == fields["start"] else None

    @property
    def has_begun(self) -> bool:
        return (self.directory / "process.json").exists()

    @property
    def result(self) -> Result | None:
        """None while it works, and when it was killed."""
        try:
            fields = json.loads((self.directory / "result.json").read_bytes())
        except FileNotFoundError:
            return None
        return Result(fields["code"], fields["result"], tuple(fields["lines"]), fields["error"])

    @contextmanager
    def held(self) -> Generator[None]:
        """Keep the directory during the body, however many runs come after it: whoever follows may be slow."""
        with explain_os_errors("follow the run"):
            descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield
        finally:
            os.close(descriptor)

    def claim(self) -> None:
        """This process is the one that works."""
        data = {"process": os.getpid(), "start": _start_time(os.getpid())}
        write_atomically(self.directory / "process.json", json.dumps(data).encode(), durable=False)

    def finish(self, result: Result) -> None:
        data = {
            "code": int(result.code),
            "result": result.result,
            "lines": list(result.lines),
            "error": result.error,
        }
        write_atomically(self.directory / "result.json", json.dumps(data).encode(), mode=0o600, durable=False)


def start(arguments: Sequence[str], *, colour: bool, home: Path = HOME) -> Run:
    """The directory of a new run; those of older ones that are over go.

    Raises:
        HoldfastError: /run cannot be written.
    """
    with explain_os_errors("prepare the run"):
        runs = home / "runs"
        home.mkdir(mode=0o700, exist_ok=True)
        runs.mkdir(mode=0o700, exist_ok=True)
        newest = last(home)
        for old in runs.iterdir():
            run = Run(old)
            if (newest is None or old != newest.directory) and run.has_begun and run.process is None:
                _remove(old)
        directory = runs / secrets.token_hex(8)
        directory.mkdir(mode=0o700)
        request = {"arguments": list(arguments), "colour": colour, "started": int(time.time())}
        write_atomically(directory / "request.json", json.dumps(request).encode(), mode=0o600, durable=False)
        (directory / "events").touch(mode=0o600)
    return Run(directory)


def _remove(directory: Path) -> None:
    """Unless somebody still follows it."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(directory, ignore_errors=True)
        finally:
            os.close(descriptor)


def make_last(run: Run, *, home: Path = HOME) -> None:
    """Let ``run`` be the one that :func:`last` finds: its unit has started."""
    with explain_os_errors("prepare the run"):
        replace_link(home / "last", f"runs/{run.directory.name}")


def last(home: Path = HOME) -> Run | None:
    """The newest run whose unit has started, over or not."""
    try:
        directory = home / (home / "last").readlink()
    except OSError:
        return None
    return Run(directory) if directory.is_dir() else None


def under_way() -> Run | None:
    """The run that works at the moment."""
    newest = last()
    return newest if newest is not None and newest.process is not None else None


def read(directory: Path) -> Run:
    """Raises:
    HoldfastError: there is no such run.
    """
    if not (directory / "request.json").is_file():
        raise HoldfastError(f"{directory} is no run of Holdfast")
    return Run(directory)


def _start_time(process: int) -> str | None:
    """When the process started, in clock ticks since boot (proc_pid_stat(5)): it and the number together are unique."""
    try:
        status = Path(f"/proc/{process}/stat").read_bytes()
    except OSError:
        return None
    fields = status[status.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else fields[19].decode()
