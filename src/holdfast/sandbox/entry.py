"""Running commands in a root file system.

>>> with enter(Sandbox(Root((base,), upper=Scratch()))) as inside:
...     inside.run(["dpkg", "--configure", "-a"])

Every sandbox has its own mount, PID, IPC and UTS namespaces, and its own network unless it asks for the machine's. Root inside
is root: mknod, chown and setcap work. This is a way to run trusted commands in the right surroundings, not a jail.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from holdfast.base import process
from holdfast.base.errors import HoldfastError
from holdfast.base.process import Completed, ProcessError
from holdfast.sandbox import kernel, terminal
from holdfast.sandbox.holder import Held, hold
from holdfast.sandbox.mounts import anchor, furnish, mount_root
from holdfast.sandbox.root import Sandbox

Words = Sequence[str | Path]
_NOT_THERE = "nsenter: failed to execute "


class Inside:
    """An entered sandbox: commands share its processes, mounts and network until it is left. Safe to use from threads."""

    def __init__(self, sandbox: Sandbox, held: Held) -> None:
        self.sandbox = sandbox
        self._held = held

    def command(self, argv: Words, *, cwd: str = "/") -> tuple[str, ...]:
        """The whole command line that runs ``argv`` in here, for callers that start the process themselves."""
        if not self._held.alive:
            raise HoldfastError(
                f"the sandbox of {self._root} was left already, and {argv[0]} cannot run in it"
            )
        return (*self._held.enter(root=self._held.place, cwd=cwd), *(str(word) for word in argv))

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """What a command in here sees beyond :data:`holdfast.base.environment.BASE_ENVIRONMENT`."""
        return {"HOME": "/root", **self.sandbox.env, **(env or {})}

    def run(
        self,
        argv: Words,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        stdin: bytes = b"",
        check: bool = True,
        timeout: float | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Completed:
        """Run a command to its end and keep what it prints. ``returncode`` is negative for a signal.

        Raises:
            ProcessError: it failed and ``check`` is true; names the root.
            HoldfastError: it is not in the root, or ran for more than ``timeout`` seconds and was killed with its children.
        """
        words = tuple(str(word) for word in argv)
        line = self.command(words, cwd=cwd)
        with self._naming_the_root(words):
            done = process.run(
                line,
                env=self.environment(env),
                stdin=stdin,
                check=check,
                timeout=timeout,
                pass_fds=pass_fds,
                shown=words,
            )
        self._expect_found(words, done.returncode, done.stderr.decode(errors="replace"))
        return done

    def stream(self, argv: Words, *, env: Mapping[str, str] | None = None, cwd: str = "/") -> None:
        """Run a command to its end and emit its lines as events.

        Raises:
            ProcessError: it failed; carries its last lines and names the root.
            HoldfastError: it is not in the root.
        """
        words = tuple(str(word) for word in argv)
        line = self.command(words, cwd=cwd)
        with self._naming_the_root(words):
            process.stream(line, env=self.environment(env), shown=words)

    def attach(self, argv: Words, *, env: Mapping[str, str] | None = None, cwd: str = "/") -> int:
        """Run a program on the person's terminal, with job control, and return its exit code. From the main thread alone."""
        words = tuple(str(word) for word in argv)
        # Session and terminal must be taken inside the PID namespace, with programs that the root need not have.
        inner = ("setsid", "--ctty", "unshare", f"--root={self._held.place}", f"--wd={cwd}", "--", *words)
        self.command(words)
        return terminal.attach(
            (*self._held.enter(), *inner),
            root=Path(f"/proc/{self._held.pid}/root{self._held.place}"),
            env=self.environment({"TERM": os.environ.get("TERM", "dumb"), **(env or {})}),
        )

    def close(self) -> None:
        """End every process in here. Leaving the ``with`` block does the same."""
        self._held.release()

    @property
    def _root(self) -> str:
        return self.sandbox.root.describe()

    def _expect_found(self, words: tuple[str, ...], returncode: int, errors: str) -> None:
        if returncode in (126, 127) and errors.startswith(_NOT_THERE):
            reason = errors.splitlines()[0].removeprefix(_NOT_THERE)
            raise HoldfastError(
                f"cannot run {reason} in {self._root}",
                resolution=f"The package that has {words[0]} must be part of that root file system.",
            )

    @contextmanager
    def _naming_the_root(self, words: tuple[str, ...]) -> Generator[None]:
        try:
            yield
        except HoldfastError as error:
            if isinstance(error, ProcessError):
                self._expect_found(words, error.returncode, error.output)
            error.details += f"\nIt ran in the root file system {self._root}"
            raise


@contextmanager
def enter(sandbox: Sandbox) -> Generator[Inside]:
    """Set the sandbox up, and take it down when the body ends; its processes end with it, also when we are killed.

    Raises:
        HoldfastError: this process may not mount, a layer or a bind is missing, or the kernel refuses; names the root.
    """
    namespaces = kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | (0 if sandbox.network else kernel.CLONE_NEWNET)
    stand = anchor()

    def prepare() -> Path:
        if not sandbox.network:
            kernel.raise_loopback()
        kernel.set_hostname(sandbox.hostname)
        place = mount_root(sandbox.root, stand)
        furnish(sandbox, place)
        return place

    with hold(prepare, namespaces=namespaces, proc=lambda place: place / "proc") as held:
        yield Inside(sandbox, held)


def run(
    sandbox: Sandbox,
    argv: Words,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str = "/",
    stdin: bytes = b"",
    check: bool = True,
    timeout: float | None = None,
) -> Completed:
    """:meth:`Inside.run` in a sandbox of its own."""
    with enter(sandbox) as inside:
        return inside.run(argv, env=env, cwd=cwd, stdin=stdin, check=check, timeout=timeout)


def stream(sandbox: Sandbox, argv: Words, *, env: Mapping[str, str] | None = None, cwd: str = "/") -> None:
    """:meth:`Inside.stream` in a sandbox of its own."""
    with enter(sandbox) as inside:
        inside.stream(argv, env=env, cwd=cwd)


def attach(sandbox: Sandbox, argv: Words, *, env: Mapping[str, str] | None = None, cwd: str = "/") -> int:
    """:meth:`Inside.attach` in a sandbox of its own."""
    with enter(sandbox) as inside:
        return inside.attach(argv, env=env, cwd=cwd)
