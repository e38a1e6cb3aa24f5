"""Small projects for tests of the command line."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from holdfast.cli import table

HEADER = """\
from holdfast import Debian, Module, System, default, force, lazy
from holdfast.library import Files, Firewall, Identity, Nginx, Packages, Systemd, Users

"""


def write_project(
    directory: Path, body: str, *, name: str = "web", release: str = "trixie", extra: str = ""
) -> Path:
    """A systems.py whose one module has ``body``; the body begins on line 6."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "systems.py"
    path.write_text(
        HEADER
        + f"\ndef module(m: Module) -> None:\n{indent(dedent(body).strip() or 'pass', '    ')}\n\n\n{extra}\n"
        + f'systems = [System("{name}", modules=[module], distro=Debian("{release}"))]\n'
    )
    return path


class CommandLine:
    """Runs our command in this process and keeps what it said."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: str) -> int:
        self._capfd.readouterr()
        code = table.run(list(arguments))
        self.out, self.err = self._capfd.readouterr()
        return code

    def fails(self, *arguments: str, advice: str = "next: ") -> str:
        """Run a command that must fail in the way people can read, with ``advice``; returns what it told them."""
        code = self(*arguments)
        assert code == 1, self.out + self.err
        assert self.out == "", "a failed command has no result"
        assert "error: " in self.err, self.err
        assert advice in self.err, f"no way out is told:\n{self.err}"
        assert "Traceback" not in self.err
        return self.err
