"""An apt of our own making: the machine's dpkg and marks, but only package files that we put before it.

Nothing of the machine's apt.conf(5) is read, hooks and pins included: a change must do what its plan said, and never ask.
dpkg's own configuration (dpkg.cfg(5): excluded paths and the like) does apply.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from holdfast.base.digests import digest_bytes, hex_of
from holdfast.base.process import Completed, run, stream
from holdfast.base.records import dataclass
from holdfast.host.packages.apt.database import EXTENDED_STATES, STATUS
from holdfast.host.packages.apt.facts import Simulated, Simulation

ENVIRONMENT: Mapping[str, str] = {
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "APT_LISTCHANGES_FRONTEND": "none",
    "APT_LISTBUGS_FRONTEND": "none",
    "UCF_FORCE_CONFFOLD": "1",
    "NEEDRESTART_SUSPEND": "1",
    "NEEDRESTART_MODE": "l",
    "DPKG_FRONTEND_LOCKED": "true",
}
"""Nothing asks, a person's configuration stays, nobody else restarts services; the lock is ours (see ``locks``)."""
DPKG = ("dpkg", "--force-confdef", "--force-confold")

_CONFIGURATION = """\
Dir::State "{place}/state";
Dir::State::status "{status}";
Dir::State::extended_states "{extended}";
Dir::Cache "{place}/cache";
Dir::Etc "{place}/etc";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::trustedparts "/dev/null";
APT::Install-Recommends "{recommends}";
APT::Install-Suggests "false";
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
APT::Get::Show-User-Simulation-Note "false";
APT::Get::AutomaticRemove "false";
Acquire::Languages "none";
Acquire::Check-Date "false";
Acquire::Check-Valid-Until "false";
Debug::NoLocking "true";
DPkg::Options {{ "--force-confdef"; "--force-confold"; }};
DPkg::Use-Pty "false";
Dpkg::Progress-Fancy "false";
"""

_STEP = re.compile(
    r"^(?P<verb>Inst|Remv|Purg) (?P<name>[^\s:]+)(?::(?P<foreign>\S+))?(?: \[(?P<before>[^\]]+)\])?"
    r"(?: \((?P<after>\S+) .*\[(?P<architecture>[^\]]+)\]\))?"
)


@dataclass(frozen=True)
class Apt:
    """An apt whose only source is one directory of package files."""

    place: Path
    """Its own directory, for what it needs while it runs."""
    files: Path
    """The directory of package files; their index is made there."""

    @property
    def env(self) -> dict[str, str]:
        return {**ENVIRONMENT, "APT_CONFIG": str(self.place / "apt.conf")}

    def offer(self, stanzas: Iterable[str], *, recommends: bool) -> None:
        """Put an index of package files before it.

        Raises:
            HoldfastError: apt does not take it.
        """
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        (self.place / "apt.conf").write_text(
            _CONFIGURATION.format(
                place=self.place,
                status=STATUS,
                extended=EXTENDED_STATES,
                recommends="true" if recommends else "false",
            )
        )
        index = "\n".join(stanzas).encode()
        (self.files / "Packages").write_bytes(index)
        date = time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime(0))
        (self.files / "Release").write_text(
            f"Date: {date}\nSHA256:\n {hex_of(digest_bytes(index))} {len(index)} Packages\n"
        )
        (self.place / "etc/sources.list").write_text(f"deb [trusted=yes] file:{self.files} ./\n")
        run(["apt-get", "update", "-qq"], env=self.env)

    def simulate(self, words: Sequence[str], *options: str) -> Simulation:
        """What ``apt-get install`` would do."""
        completed = run(["apt-get", "install", "-s", "-q", *options, "--", *words], env=self.env, check=False)
        return parse_simulation(completed)

    def install(self, words: Sequence[str], *options: str, lock: int) -> None:
        """Do it, with what it prints as events.

        Raises:
            ProcessError: apt or dpkg failed; carries their last lines.
        """
        stream(["apt-get", "install", "-q", *options, "--", *words], env=self.env, pass_fds=(lock,))

    def mark(self, automatic: Sequence[str], manual: Sequence[str], *, lock: int) -> None:
        """Set apt's marks."""
        for verb, names in (("auto", automatic), ("manual", manual)):
            if names:
                run(["apt-mark", "-qq", verb, *names], env=self.env, pass_fds=(lock,))


def index_stanza(file: Path | int, *, size: int, sha256: str, name: str) -> str:
    """A package file's entry in an index, see deb822(5). ``file`` may be an open descriptor; ``name`` is its name in the directory.

    Raises:
        ProcessError: it is no package file.
    """
    path, passed = (f"/dev/fd/{file}", (file,)) if isinstance(file, int) else (str(file), ())
    control = run(["dpkg-deb", "--field", path], pass_fds=passed).text.rstrip("\n")
    return f"{control}\nFilename: {name}\nSize: {size}\nSHA256: {sha256}\n"


def parse_simulation(completed: Completed) -> Simulation:
    errors = completed.stderr.decode("utf-8", "replace").strip()
    if completed.returncode != 0:
        said = "\n".join(part for part in (completed.text.strip()[-3000:], errors) if part)
        return Simulation(error=said or "it failed without a word")
    steps = [
        Simulated(
            match["name"],
            match["foreign"] or match["architecture"] or "",
            match["before"],
            match["after"] if match["verb"] == "Inst" else None,
        )
        for line in completed.text.splitlines()
        if (match := _STEP.match(line))
    ]
    return Simulation(tuple(steps))


def dpkg(words: Sequence[str], *, lock: int, check: bool = True, stdin: bytes = b"") -> Completed:
    """Run dpkg under our lock.

    Raises:
        ProcessError: it failed, and ``check`` is true.
    """
    return run([*DPKG, *words], env=ENVIRONMENT, pass_fds=(lock,), check=check, stdin=stdin)
