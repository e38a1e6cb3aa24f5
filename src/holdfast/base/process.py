"""The one door to other programs: argv lists, a chosen environment, closed stdin, errors one can paste into a shell."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from holdfast.base.environment import BASE_ENVIRONMENT
from holdfast.base.errors import HoldfastError
from holdfast.base.events import OutputLine, emit
from holdfast.base.records import dataclass

_TAIL_LINES = 40
_LONGEST_LINE = 64 << 20
"""Bytes of a line of stderr: the program may be one that another machine runs, and says what it likes."""


@dataclass(frozen=True)
class Completed:
    """A program that ran to its end."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """stdout as UTF-8, invalid bytes replaced."""
        return self.stdout.decode(errors="replace")


class ProcessError(HoldfastError):
    """A program ended with a failure; ``returncode`` is negative for a signal, as in :mod:`subprocess`."""

    def __init__(self, argv: Sequence[str], returncode: int, output: str) -> None:
        super().__init__(
            f"{Path(argv[0]).name} {_describe_status(returncode)}",
            details="\n".join(
                part for part in (output.strip(), f"The command was: {shlex.join(argv)}") if part
            ),
        )
        self.returncode = returncode
        self.output = output


def _describe_status(returncode: int) -> str:
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"
    return f"failed with exit code {returncode}"


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    check: bool = True,
    timeout: float | None = None,
    pass_fds: Sequence[int] = (),
    shown: Sequence[str] | None = None,
) -> Completed:
    """Run a program to its end and keep what it prints. ``env`` is added to :data:`BASE_ENVIRONMENT`.

    ``shown`` is the command to name in the result and in errors, when ``argv`` is that command inside a wrapper.

    Raises:
        ProcessError: the program failed and ``check`` is true.
        HoldfastError: the program is not there, or ran for more than ``timeout`` seconds (it and the children in its
            process group are then killed).
    """
    words = tuple(str(word) for word in argv)
    told = words if shown is None else tuple(shown)
    with _start(
        words,
        env=env,
        cwd=cwd,
        output=subprocess.PIPE,
        errors=subprocess.PIPE,
        pass_fds=pass_fds,
        session=timeout is not None,
    ) as process:
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except BaseException as error:
            if timeout is not None:  # the group is its own: left alive, a child would hold our pipes open
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise HoldfastError(
                f"{Path(told[0]).name} did not finish within {timeout:g} seconds",
                details=f"The command was: {shlex.join(told)}",
            ) from None
    if check and process.returncode != 0:
        raise ProcessError(told, process.returncode, _tail((stderr + stdout).decode(errors="replace")))
    return Completed(told, process.returncode, stdout, stderr)


def stream(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
    shown: Sequence[str] | None = None,
) -> None:
    """Run a program to its end and emit what it prints, line by line, as :class:`OutputLine` events. See :func:`run`.

    Raises:
        ProcessError: the program failed; carries its last lines.
        HoldfastError: the program is not there.
    """
    words = tuple(str(word) for word in argv)
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    with _start(
        words, env=env, cwd=cwd, output=subprocess.PIPE, errors=subprocess.STDOUT, pass_fds=pass_fds
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.close()
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            tail.append(line)
            emit(OutputLine(line))
    if process.returncode != 0:
        raise ProcessError(words if shown is None else shown, process.returncode, "\n".join(tail))


def attach(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program on the person's own terminal and return its exit code.

    Raises:
        HoldfastError: the program is not there.
    """
    words = tuple(str(word) for word in argv)
    with _start(words, env=env, cwd=None, output=None, errors=None, stdin=None) as process:
        return process.wait()


@contextmanager
def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    output: int | None = subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
    kill_after: float = 10.0,
) -> Generator[subprocess.Popen[bytes]]:
    """Keep a program running during the body, stdout and stderr on the descriptor ``output``.

    When the body ends it gets SIGTERM, and SIGKILL after ``kill_after`` seconds.

    Raises:
        HoldfastError: the program is not there.
    """
    words = tuple(str(word) for word in argv)
    process = _start(
        words,
        env=env,
        cwd=None,
        output=output,
        errors=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        pass_fds=pass_fds,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(kill_after)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()


class Conversation:
    """A program that runs, with pipes to talk with it."""

    def __init__(self, process: subprocess.Popen[bytes], reader: threading.Thread) -> None:
        assert process.stdin is not None and process.stdout is not None
        self.stdin: IO[bytes] = process.stdin
        self.stdout: IO[bytes] = process.stdout
        self._process, self._reader = process, reader
        self.failed: BaseException | None = None
        """What whoever is told of stderr raised."""

    def end(self) -> None:
        """Ask the program to end now, from any thread; whoever talks with it finds it gone."""
        # Root's, such as sudo(8), is not ours to end: it does with its stdin.
        with suppress(ProcessLookupError, PermissionError):
            self._process.terminate()

    def finish(self) -> int:
        """Close its stdin, wait until it ends and everything on stderr is read, and return its exit code.

        Raises what ``on_error_line`` did: our own stderr may be closed, say.
        """
        with suppress(BrokenPipeError):
            self.stdin.close()
        code = self._process.wait()
        self._reader.join()
        if self.failed is not None:
            raise self.failed
        return code


@contextmanager
def converse(
    argv: Sequence[str | Path],
    *,
    on_error_line: Callable[[bytes], None],
    env: Mapping[str, str] | None = None,
    kill_after: float = 10.0,
) -> Generator[Conversation]:
    """Talk with a program during the body; each line of its stderr goes to ``on_error_line``, in a thread of its own.

    When the body ends before the program it gets SIGTERM, and SIGKILL after ``kill_after`` seconds.

    Raises:
        HoldfastError: the program is not there.
    """
    words = tuple(str(word) for word in argv)
    process = _start(words, env=env, cwd=None, output=subprocess.PIPE, errors=subprocess.PIPE)
    assert process.stderr is not None and process.stdout is not None
    errors = process.stderr

    def read() -> None:
        try:
            while line := errors.readline(_LONGEST_LINE):
                on_error_line(line.rstrip(b"\r\n"))  # ssh(1) ends its own lines as terminals want it
        except BaseException as error:
            conversation.failed = error
            while errors.read(1 << 16):  # or the program would wait for ever to be read
                pass

    reader = threading.Thread(target=read, name=f"{Path(words[0]).name}-stderr", daemon=True)
    conversation = Conversation(process, reader)
    reader.start()
    try:
        yield conversation
    finally:
        with suppress(BrokenPipeError):
            conversation.stdin.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(kill_after)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        process.stdout.close()
        reader.join(kill_after)  # a child that it left behind may hold the pipe


def _start(
    words: tuple[str, ...],
    *,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    output: int | None,
    errors: int | None,
    stdin: int | None = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
    session: bool = False,
) -> subprocess.Popen[bytes]:
    environment = {**BASE_ENVIRONMENT, **(env or {})}
    try:
        return subprocess.Popen(
            words,
            env=environment,
            cwd=cwd,
            stdin=stdin,
            stdout=output,
            stderr=errors,
            pass_fds=tuple(pass_fds),
            start_new_session=session,
            umask=0o022,  # a person's own would get into the modes of what maintainer scripts make
        )
    except FileNotFoundError:
        if cwd is not None and not cwd.is_dir():
            raise HoldfastError(f"cannot run {words[0]}: the directory {cwd} is not there") from None
        raise HoldfastError(
            f"the program {words[0]!r} is not installed",
            details=f"It was needed for: {shlex.join(words)}",
            resolution="Run `holdfast doctor`: it names the package that has it.",
        ) from None
    except PermissionError as error:
        raise HoldfastError(f"cannot run {words[0]}: {error.strerror}", details=shlex.join(words)) from None


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-_TAIL_LINES:])
