"""One command on one machine, from the first look to the result."""

from __future__ import annotations

import shlex
import threading
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import field
from pathlib import Path

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import Relay, stage
from holdfast.base.records import dataclass
from holdfast.deploy import calling
from holdfast.deploy.calling import Answer
from holdfast.deploy.probing import Packages, Probe, check_rights, probe, settle_rights
from holdfast.deploy.pushing import push
from holdfast.deploy.results import HostResult, State, UnconfirmedError, UnreachableError, failure
from holdfast.deploy.transport import LOCAL, LocalTransport, Transport
from holdfast.engine.archive import Engine
from holdfast.engine.launch import start_script
from holdfast.store import Artifact, Store

_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class Generation:
    """What a machine is to become. What has to travel may depend on what is there."""

    wants_packages: bool
    make: Callable[[Packages], Artifact]


@dataclass(frozen=True)
class Job:
    """One command for one machine."""

    name: str
    """For people: USER@HOST, or ``local``."""
    system: str | None
    transport: Callable[[], Transport]
    verb: tuple[str, ...]
    """The engine's, with its arguments, without the generation."""
    generation: Generation | None = None
    confirm_seconds: int | None = None
    """The change is confirmed over a connection of its own, within so many seconds."""


class Connections:
    """The ways to machines that are in use, closed afterwards. All can be abandoned at once, from any thread."""

    def __init__(self) -> None:
        self._open: set[Transport] = set()
        self._lock = threading.Lock()
        self.abandoned = threading.Event()
        """Nothing is to be begun any more, nor waited for."""

    @contextmanager
    def using(self, transport: Transport) -> Generator[Transport]:
        with self._lock:
            self._open.add(transport)
        if self.abandoned.is_set():
            transport.abandon()
        try:
            yield transport
        finally:
            with self._lock:
                self._open.discard(transport)
            transport.close()

    def abandon(self) -> None:
        """Whoever works over one of them finds it lost."""
        self.abandoned.set()
        with self._lock:
            found = tuple(self._open)
        for transport in found:
            transport.abandon()


@dataclass(frozen=True)
class Surroundings:
    """What all machines of a command share."""

    store: Store
    engine: Engine
    password: str | None = field(default=None, repr=False)
    colour: bool = False
    many: bool = False
    """Events say which machine they are from."""
    root: Path | None = None
    """Work on this root file system, which does not run, instead of on this machine."""
    terminal: bool = False
    """sudo on this machine may ask the person."""
    connections: Connections = field(default_factory=lambda: Connections())
    asking: Callable[[], AbstractContextManager[object]] = nullcontext
    """Around what may ask the person for a passphrase or a password."""
    asked: set[str] = field(default_factory=set[str])
    """Machines whose engine was asked to do the verb: only there anything may have begun."""


def work(job: Job, around: Surroundings) -> HostResult:
    """Do it; failures are results, too."""
    began = time.monotonic()
    run = _Run(job, around)
    try:
        answer = _explained(run)
    except HoldfastError as error:
        return failure(job.name, job.system, error, seconds=time.monotonic() - began, sent=run.sent)
    except BrokenPipeError:
        raise  # whoever read what is told here is gone, for all machines
    except Exception as error:  # of one machine, whatever it said: the others are not to suffer from it
        return failure(job.name, job.system, _defect(error), seconds=time.monotonic() - began, sent=run.sent)
    return HostResult(
        job.name,
        job.system,
        _state(answer),
        answer.code,
        time.monotonic() - began,
        run.sent,
        answer.result,
        answer.lines,
    )


def _explained(run: _Run) -> Answer:
    try:
        return run.do()
    except BrokenPipeError:
        raise
    except OSError:  # too many open files, say, or no room for a socket
        with explain_os_errors(f"work on {run.job.name}"):
            raise


def _defect(error: Exception) -> HoldfastError:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return HoldfastError(
        f"this is a defect of Holdfast: {type(error).__name__}: {error}{place}",
        details="".join(traceback.format_tb(error.__traceback__)),
        resolution="Report it with the lines above. `holdfast status` says how the machine is.",
    )


def skip(job: Job) -> HostResult:
    """The result of a machine that was not begun."""
    return HostResult(job.name, job.system, "skipped")


def _state(answer: Answer) -> State:
    """Verbs that plan or change say whether there was anything to do; others change nothing."""
    if isinstance(answer.result, dict) and answer.result.get("empty", True) is False:
        return "changed"
    return "unchanged"


class _Run:
    """The steps of one job."""

    def __init__(self, job: Job, around: Surroundings) -> None:
        self.job, self.around = job, around
        self.sent = 0

    def do(self) -> Answer:
        alone = "On this machine" if self.job.name == LOCAL else f"On {self.job.name}"
        title = f"{self.job.name}: {self.job.verb[0]}" if self.around.many else alone
        with stage(title):
            relay = Relay(f"{self.job.name}: " if self.around.many else "")
            with self.around.connections.using(self.job.transport()) as transport:
                return self._work(transport, relay)

    def _work(self, transport: Transport, relay: Relay) -> Answer:
        job, around = self.job, self.around
        found = self._arrive(transport)
        if around.root is not None:  # nothing is installed on this machine for a root that is not its own
            script = f'exec python3 -I -S {shlex.quote(str(around.engine.path))} "$@"'
        else:
            script = start_script(around.engine.hex)
            if not found.engine:
                self.sent += calling.install(transport, around.engine)
        root = ["--root", str(around.root)] if around.root is not None else []
        verb = [*job.verb]
        if job.generation is not None:
            artifact = job.generation.make(found.packages)
            self.sent += push(transport, script, around.store, artifact, relay, arguments=root)
            verb += ["--artifact", artifact.manifest]
        if job.confirm_seconds is not None:
            verb += ["--confirm", str(job.confirm_seconds)]
        around.asked.add(job.name)
        answer = calling.call(transport, script, [*verb, *root], relay, colour=around.colour)
        if job.confirm_seconds is not None and _waits(answer):
            confirmed = self._confirm(transport, script, job.confirm_seconds, _generation(answer))
            return _settled(answer, confirmed) if confirmed else answer
        return answer

    def _arrive(self, transport: Transport) -> Probe:
        job, around = self.job, self.around
        packages = job.generation is not None and job.generation.wants_packages and around.root is None
        with around.asking():
            found = probe(transport, around.engine.hex, packages=packages)
        transport.rights = settle_rights(
            job.name,
            found,
            password=around.password,
            terminal=around.terminal and isinstance(transport, LocalTransport),
        )
        return check_rights(transport, found, around.engine.hex)

    def _confirm(
        self, transport: Transport, script: str, seconds: int, generation: int | None
    ) -> Answer | None:
        """Over a new connection: that one is possible is what is to be proved. None where there is nothing to prove: the change
        waits for the person.
        """
        fresh = transport.fresh()
        if fresh is None:
            return None
        deadline = time.monotonic() + seconds
        lost = False
        with (
            stage(f"Confirming {self.job.name} over a new connection"),
            self.around.connections.using(fresh),
        ):
            while True:
                try:
                    with self.around.asking():
                        return calling.call(fresh, script, ["confirm"], Relay())
                except UnreachableError as error:
                    lost = True
                    abandoned = self.around.connections.abandoned
                    if time.monotonic() + _PAUSE_SECONDS < deadline and not abandoned.wait(_PAUSE_SECONDS):
                        continue  # a network or an sshd that starts again takes its time
                    brief, details = "cannot be reached any more", str(error)
                except HoldfastError as error:
                    confirmed = _found_confirmed(fresh, script, generation) if lost else None
                    if confirmed is not None:
                        return confirmed
                    brief, details = "the change could not be confirmed", str(error)
                raise UnconfirmedError(
                    f"{self.job.name} was changed and {brief}: it takes the change back by itself",
                    details=details,
                    resolution="Correct the definition: it must leave a way to the machine.",
                )


def _found_confirmed(transport: Transport, script: str, generation: int | None) -> Answer | None:
    """What an answer that was lost on its way said: the generation is current, and waits for nothing."""
    try:
        found = calling.call(transport, script, ["status"], Relay()).result
    except HoldfastError:
        return None
    if not isinstance(found, dict) or found.get("generation") != generation or found.get("unconfirmed"):
        return None
    return Answer(0, {"generation": generation}, (f"Generation {generation} is confirmed.",))


def _generation(answer: Answer) -> int | None:
    found = answer.result.get("generation") if isinstance(answer.result, dict) else None
    return found if isinstance(found, int) else None


def _waits(answer: Answer) -> bool:
    return isinstance(answer.result, dict) and answer.result.get("confirm_until") is not None


def _settled(answer: Answer, confirmed: Answer) -> Answer:
    """``answer``, which no longer waits: its last line said that it does (pure)."""
    fields = dict(answer.result) if isinstance(answer.result, dict) else {}
    return Answer(answer.code, {**fields, "confirm_until": None}, (*answer.lines[:-1], *confirmed.lines))
