"""Keeping namespaces alive: a process that does nothing, is the first process of its PID namespace, and ends with us.

A thread unshares, sets the mounts up and starts the holder, a shell that mounts ``/proc`` and then reads a pipe of ours. When
the pipe closes, because we are done or because we were killed, it ends; the kernel then kills every process of the PID
namespace and takes the mounts, the network and the rest back. Nothing is left to clean up, ever.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import field
from pathlib import Path

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.sandbox import kernel
from holdfast.sandbox.mounts import leave_shared_mounts
from holdfast.sandbox.threads import in_thread

# Orphans inside come to this process; a parent that ignores SIGCHLD leaves no zombies (wait(2), NOTES). dash always catches it.
_SCRIPT = (
    'mount -n -t proc -o nosuid,nodev,noexec proc "$1" && echo held && '
    'exec env --ignore-signal=CHLD cat "/proc/self/fd/$2" >/dev/null 2>&1'
)


@dataclass(frozen=True)
class Held:
    """Namespaces that are held open."""

    pid: int
    """The holder, as this process sees it."""
    place: Path
    """What ``prepare`` returned: where the root is mounted, in the held mount namespace."""
    namespaces: int
    """CLONE_NEW* flags of what is separate from the machine; mount and PID always are."""
    _pipe: list[int] = field(repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def alive(self) -> bool:
        return bool(self._pipe)

    def enter(self, *, root: Path | None = None, cwd: str = "/") -> tuple[str, ...]:
        """Words to put before a command so that it runs in here (nsenter(1)); ``root`` is a directory of the held mounts."""
        words = ["nsenter", f"--target={self.pid}", "--mount", "--pid"]
        for flag, word in (
            (kernel.CLONE_NEWUTS, "--uts"),
            (kernel.CLONE_NEWIPC, "--ipc"),
            (kernel.CLONE_NEWNET, "--net"),
            (kernel.CLONE_NEWCGROUP, "--cgroup"),
        ):
            words += [word] if self.namespaces & flag else []
        if root is not None:
            words.append(f"--root=/proc/{self.pid}/root{root}")
        return (*words, f"--wdns={cwd}", "--")

    def release(self) -> None:
        """End every process in here, at once. May be called from any thread, and twice."""
        with self._lock:
            if self._pipe:
                os.close(self._pipe.pop())
                # A forked child of ours may still have the pipe open. Nobody has waited for the holder yet, so the number is its own.
                os.kill(self.pid, signal.SIGKILL)


@contextmanager
def hold(prepare: Callable[[], Path], *, namespaces: int, proc: Callable[[Path], Path]) -> Generator[Held]:
    """New namespaces for the time of the body, set up by ``prepare``, which runs inside and returns a place.

    ``proc`` tells from the place where the new PID namespace's ``/proc`` goes.

    Raises:
        HoldfastError: this process may not mount; or the holder did not come up, with what it said.
    """
    with ExitStack() as stack:
        reading, writing = os.pipe()
        pipe = [writing]

        def start() -> Held:
            leave_shared_mounts()
            kernel.unshare(kernel.CLONE_NEWPID | namespaces)
            place = prepare()
            pid = _start_holder(stack, proc(place), reading)
            return Held(pid, place, namespaces, pipe)

        try:
            held = in_thread(start, name="holdfast-enter")
        except BaseException:
            os.close(pipe.pop())
            raise
        finally:
            os.close(reading)
        stack.callback(held.release)  # before spawn's own ending: a first process ignores SIGTERM
        yield held


def _start_holder(stack: ExitStack, proc: Path, reading: int) -> int:
    answers, answering = os.pipe()
    try:
        holder = stack.enter_context(
            process.spawn(
                ["sh", "-c", _SCRIPT, "holdfast", str(proc), str(reading)],
                output=answering,
                pass_fds=[reading],
            )
        )
    finally:
        os.close(answering)
    with os.fdopen(answers, "rb") as stream:
        first = stream.readline()
        if first != b"held\n":
            said = (first + stream.read()).decode(errors="replace").strip()
            raise HoldfastError("the sandbox's first process did not start", details=said)
    return holder.pid
