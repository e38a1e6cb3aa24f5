"""What configuration tools are measured with: 500 files and 20 services, in any number of versions, for each tool its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILES = 500
UNITS = 20
_LINES = 20

_UNIT = """\
[Unit]
Description=Version {version}

[Service]
Environment=VERSION={version}
ExecStart=/usr/bin/sleep infinity

[Install]
WantedBy=multi-user.target
"""


@dataclass
class Workload:
    """The sources of one tool's files and units, below ``place``: it has to bring them to ``directory`` and to systemd."""

    place: Path
    name: str
    version: int = 0

    @property
    def directory(self) -> str:
        """Where the files belong on the target."""
        return f"/etc/{self.name}"

    def unit(self, number: int) -> str:
        return f"{self.name}-{number}.service"

    @property
    def files(self) -> tuple[str, ...]:
        """Their names, relative to ``files/`` here and to :attr:`directory` there."""
        return tuple(f"part{number % 10}/{number}.conf" for number in range(FILES))

    def advance(self) -> None:
        """Write the next version, in which every file and every unit is another."""
        self.version += 1
        for number, name in enumerate(self.files):
            path = self.place / "files" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._content(number))
        (self.place / "version").write_text(str(self.version))
        (self.place / "units").mkdir(exist_ok=True)
        for number in range(UNITS):
            (self.place / "units" / self.unit(number)).write_text(_UNIT.format(version=self.version))

    def edit_one(self) -> None:
        """Change one file, and nothing else."""
        path = self.place / "files" / self.files[0]
        path.write_text(path.read_text() + "one more line\n")

    def check(self, contents: str, versions: str) -> None:
        """Demand that the target is at this version.

        Args:
            contents: what ``cat`` of all files says there.
            versions: what systemd says of the running units' environments.

        Raises:
            RuntimeError: the tool did something else.
        """
        files = sorted(set(contents.splitlines()))
        wanted = sorted(self._content(number).splitlines()[0] for number in range(FILES))
        units = versions.split()
        if files != wanted or units != [f"VERSION={self.version}"] * UNITS:
            raise RuntimeError(
                f"{self.name} did not bring version {self.version}: {len(files)} kinds of lines, {units}"
            )

    def _content(self, number: int) -> str:
        return f"setting {number} of version {self.version}\n" * _LINES
