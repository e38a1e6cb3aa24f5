"""A machine with the engine on it, changed by definitions as users write them; and what of it has to be as before in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.base.process import Completed
from holdfast.build.generation import make_generation
from holdfast.distro.lockfile import Ids, PackageSet
from holdfast.engine.archive import engine_archive
from holdfast.engine.launch import install_script
from holdfast.library import Debian, System, evaluate_system
from holdfast.machine import Machine
from holdfast.manifest.contents import AuthorFile
from holdfast.manifest.document import write_manifest
from holdfast.options import Module
from holdfast.store import Store
from holdfast.store.artifacts import blobs_of

NAME = "scenario"
RELEASES = ("bookworm", "trixie", "forky", "sid")
Definition = Callable[[Module], None]

_KEPT = "/etc /usr/local /opt /srv /home /root/.ssh /var/lib/systemd/linger /run/systemd/system"
# Debris that no package's own tools would take back either: copies that shadow makes, caches that are made anew.
_NOISE = r"! -name 'passwd-' ! -name 'group-' ! -name 'shadow-' ! -name 'gshadow-' ! -name 'subuid-' ! -name 'subgid-' ! -name '.pwd.lock' ! -path /etc/ld.so.cache ! -path /etc/.updated"
_PRINT = f"""
cd /
found() {{ find {_KEPT} {_NOISE} "$@" 2>/dev/null; }}
found -printf '%p %y %m %U:%G %l\\n'
found -type f -print0 | xargs -0 sha256sum | sed -E 's/^([0-9a-f]+)  (.*)/\\2 \\1/'
systemctl list-units --plain --no-legend --full --state=failed | sed 's/ .*/ failed/'
systemctl list-units --plain --no-legend --full --type=service,socket,timer,path,mount --state=running,listening,waiting,mounted |
    sed 's/ .*/ active/' | grep -v -e '^user@' -e '^run-user-' -e '^user-runtime-dir@' -e '^session-' -e '^init.scope'
true
"""


@dataclass
class Host:
    """One booted machine of one release."""

    machine: Machine
    release: str
    store: Store
    pristine: frozenset[str] = frozenset()
    given_back: bool = False
    """The scenario's last word was `deactivate`."""
    said_last: str = ""
    """What the engine said to the last of the scenario's words."""

    def install_engine(self) -> None:
        """Bring the engine there, and remember what the machine is like now."""
        engine = engine_archive(self.store)
        self.machine.succeed(["sh", "-c", install_script(engine.hex)], stdin=engine.path.read_bytes())
        self.machine.write_file("/etc/hostname", f"{NAME}\n")
        self.pristine = self.look()

    def look(self) -> frozenset[str]:
        """What is to be as it was after `deactivate`: files with owners, modes and digests; units that run or failed."""
        return frozenset(self.machine.succeed(_PRINT).splitlines())

    def differences(self) -> list[str]:
        """What is not as it was at first, `-` was there and `+` was not."""
        now = self.look()
        gone, new = self.pristine - now, now - self.pristine
        return sorted([*(f"- {line}" for line in gone), *(f"+ {line}" for line in new)], key=lambda x: x[2:])

    # ----- the engine's verbs

    def run(self, *words: str, code: int = 0, stdin: bytes = b"") -> str:
        """`holdfast WORDS` on the machine, which must end with ``code``; all that it said."""
        done = self.execute(*words, stdin=stdin)
        told = done.text + done.stderr.decode()
        assert done.returncode == code, f"holdfast {' '.join(words)}: exit {done.returncode}\n{told}"
        return told

    def deactivate(self) -> None:
        """Everything back, unless the scenario has just done that."""
        if self.given_back:
            return
        done = self.execute("deactivate")
        assert done.returncode == 0, self.said_last

    def execute(self, *words: str, stdin: bytes = b"") -> Completed:
        done = self.machine.execute(["holdfast", *words], stdin=stdin, timeout=120)
        self.given_back = words[0] == "deactivate" and done.returncode == 0
        self.said_last = done.text + done.stderr.decode()
        return done

    def switch(
        self,
        *modules: Definition,
        options: Sequence[str] = (),
        code: int = 0,
        package_set: PackageSet | None = None,
    ) -> str:
        """Switch to the system that the modules define."""
        return self.run("switch", *self._bring(modules, package_set), *options, code=code)

    def plan(self, *modules: Definition, options: Sequence[str] = (), code: int = 0) -> str:
        """The plan for the system that the modules define."""
        return self.run("plan", *self._bring(modules, None), *options, code=code)

    def boot(self, *modules: Definition, options: Sequence[str] = (), code: int = 0) -> str:
        """Make the system that the modules define the one of the next boot."""
        return self.run("boot", *self._bring(modules, None), *options, code=code)

    def bring(self, *modules: Definition, package_set: PackageSet | None = None) -> tuple[str, ...]:
        """Words for further verbs that take a generation: `host.run("generations", "prepopulate", *host.bring(one))`."""
        return self._bring(modules, package_set)

    def _bring(self, modules: Sequence[Definition], package_set: PackageSet | None) -> tuple[str, ...]:
        system = System(NAME, modules=modules, distro=Debian(self.release))
        evaluated = evaluate_system(system)
        if not evaluated.contents and package_set is None:
            self.machine.write_file("/root/wanted.json", write_manifest(evaluated.manifest).decode())
            return ("/root/wanted.json",)
        for content in evaluated.contents:
            assert isinstance(content, AuthorFile)
            self.store.blobs.put_file(Path(content.path))
        ids = Ids()
        artifact = make_generation(self.store, evaluated.manifest, package_set, ids)
        named = blobs_of(self.store.blobs.read(artifact.manifest), artifact.manifest)
        blobs = {digest: self.store.blobs.size(digest) for digest in sorted(named)}
        header = json.dumps({"artifact": artifact.manifest, "blobs": blobs}).encode() + b"\n"
        # What is missing there is asked for in one call and sent in the next: a test has no other end to talk with.
        asked = self.execute("receive", "--json", stdin=header).stdout.splitlines()[0]
        sent = b"".join(self.store.blobs.read(digest) for digest in json.loads(asked)["missing"])
        self.run("receive", "--json", stdin=header + sent)
        return ("--artifact", artifact.manifest)

    # ----- the machine

    def pid(self, unit: str) -> int:
        """The main process of a unit; 0 when it has none."""
        return int(self.machine.unit_properties(unit)["MainPID"])

    def state(self, unit: str) -> str:
        """`active`, `inactive`, `failed`, ..."""
        return self.machine.unit(unit).active_state

    def exists(self, path: str) -> bool:
        return self.machine.execute(["test", "-e", path, "-o", "-L", path]).returncode == 0

    def stat(self, path: str) -> str:
        """`MODE USER:GROUP TYPE` of what is at a path, not of what a link leads to."""
        return self.machine.succeed(["stat", "--format=%a %U:%G %F", path]).strip()
