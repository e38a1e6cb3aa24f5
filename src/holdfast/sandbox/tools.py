"""The tools tree: a root file system full of build tools, as a place to run them in."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from holdfast.base.process import Completed
from holdfast.base.records import dataclass
from holdfast.sandbox import entry
from holdfast.sandbox.entry import Inside
from holdfast.sandbox.root import Bind, Root, Sandbox, Scratch


@dataclass(frozen=True)
class ToolsTree:
    """A tree of tools, never changed by what runs in it: what a tool writes outside its binds is thrown away."""

    layers: tuple[Path, ...]
    """Trees, bottom first."""
    env: Mapping[str, str] = field(default_factory=dict[str, str])

    def sandbox(self, *, binds: Mapping[str, Bind] | None = None, network: bool = False) -> Sandbox:
        """The place where its tools run."""
        root = Root(self.layers, upper=Scratch())
        return Sandbox(root, binds=binds or {}, network=network, hostname="tools", env=self.env)

    @contextmanager
    def enter(self, *, binds: Mapping[str, Bind] | None = None, network: bool = False) -> Generator[Inside]:
        """Several commands in one entry. Raises what :func:`holdfast.sandbox.entry.enter` does."""
        with entry.enter(self.sandbox(binds=binds, network=network)) as inside:
            yield inside

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        binds: Mapping[str, Bind] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str = "/",
        stdin: bytes = b"",
        check: bool = True,
        timeout: float | None = None,
    ) -> Completed:
        """One command. Raises what :meth:`holdfast.sandbox.entry.Inside.run` does."""
        with self.enter(binds=binds) as inside:
            return inside.run(argv, env=env, cwd=cwd, stdin=stdin, check=check, timeout=timeout)
