"""What apt is asked for: the difference between the packages that are wanted and those that are there (pure).

Ours is what the state records: a package that we installed, brought to another version, or removed. Nobody else's package is
downgraded or removed, unless the definition names it to be removed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from holdfast.base.debian_versions import older
from holdfast.base.records import dataclass
from holdfast.host.packages.apt.database import Database, Installed, key, needed_by_others
from holdfast.host.packages.change import PackageFile, PackageOptions
from holdfast.host.packages.record import PackageRecord, PackageState
from holdfast.host.packages.wanted import WantedPackage, WantedPackages

_WAYS_IN = {
    "openssh-server": "it is the way in",
    "python3": "Holdfast itself runs on it",
    "python3-minimal": "Holdfast itself runs on it",
    "apt": "packages are changed with it",
    "systemd": "it runs the machine",
    "systemd-sysv": "it runs the machine",
}


@dataclass(frozen=True)
class Ask:
    """One word for apt: a package in a version, or without one to be removed."""

    package: str
    version: str | None
    reason: str
    file: PackageFile | None = None
    """What has it; None for a removal, or where apt has to find something that provides it."""
    back: bool = False
    """It goes back to an older version, which may turn out impossible without harm."""

    @property
    def word(self) -> str:
        if self.version is None:
            return f"{self.package}-"
        return f"{self.package}={self.version}" if self.version else self.package


@dataclass
class Intent:
    asks: dict[str, Ask] = field(default_factory=lambda: {})
    automatic: dict[str, bool] = field(default_factory=lambda: {})
    """Marks that packages are to have once they are installed; others keep what apt gives them."""
    holds: dict[str, bool] = field(default_factory=lambda: {})
    forgotten: set[str] = field(default_factory=lambda: set())
    """Records that end: somebody else has taken the package over, or it is as it was found."""
    problems: list[str] = field(default_factory=lambda: [])
    notes: list[str] = field(default_factory=lambda: [])


def requested_name(word: str, native: str) -> str:
    """The package that a word of a request means: ``curl``, ``curl=8.1``, ``curl/trixie``, ``libc6:i386``."""
    name, _, architecture = re.split("[=/]", word)[0].partition(":")
    return key(name, architecture, native)


def intend(
    database: Database,
    wanted: WantedPackages | None,
    recorded: PackageState,
    holds: tuple[str, ...],
    options: PackageOptions,
    *,
    kernel: str = "",
) -> Intent:
    """Decide what to ask for. ``holds`` are packages whose hold mark is ours, ``kernel`` the release of the one that runs."""
    return _Intending(database, wanted, recorded, holds, options, kernel).run()


def why_protected(package: Installed, kernel: str) -> str:
    """Why a package is not removed unless somebody insists; nothing when it may be."""
    if package.essential:
        return "the machine does not work without it"
    if kernel and package.name in (f"linux-image-{kernel}", f"linux-modules-{kernel}"):
        return "it is the kernel that runs"
    return _WAYS_IN.get(package.name, "")


class _Intending:
    def __init__(
        self,
        database: Database,
        wanted: WantedPackages | None,
        recorded: PackageState,
        holds: tuple[str, ...],
        options: PackageOptions,
        kernel: str,
    ) -> None:
        self._kernel = kernel
        native = database.architecture
        self._database, self._records, self._options = database, recorded.packages, options
        self._locked: Mapping[str, WantedPackage] = {
            key(one.name, one.architecture, native): one for one in (wanted.packages if wanted else ())
        }

        def names(words: tuple[str, ...]) -> dict[str, str]:
            return {requested_name(word, native): word for word in words}

        self._install = names(wanted.install if wanted else ())
        self._remove = names(wanted.remove if wanted else ())
        self._hold = names(wanted.hold if wanted else ())
        self._our_holds = {requested_name(name, native) for name in holds}
        self._to = Intent()

    def run(self) -> Intent:
        for name in sorted(self._install.keys() & self._remove.keys()):
            self._to.problems.append(f"the package {name} is to be installed and to be removed")
        for name in sorted(self._install):
            self._requested(name)
        for name, record in sorted(self._records.items()):
            if name not in self._install:
                self._recorded(name, record)
        for name in sorted(self._remove):
            self._unwelcome(name)
        self._keep_what_is_needed()
        self._mark_holds()
        return self._to

    def _requested(self, name: str) -> None:
        there, locked = self._database.whole(name), self._locked.get(name)
        if locked is not None:
            self._bring(name, locked, there, asked=True)
        elif there is None and not self._provided(name):
            if self._locked:
                self._to.asks[name] = Ask(name, "", "declared")
            else:
                self._to.problems.append(
                    f"the package {name} is not installed, and this generation brings no packages: it was made without a lock"
                )
                return
        if there is not None or locked is not None:
            self._to.automatic[name] = False

    def _provided(self, name: str) -> bool:
        return any(one.whole and name in one.provides for one in self._database.packages.values())

    def _bring(self, name: str, locked: WantedPackage, there: Installed | None, *, asked: bool) -> None:
        """Install or upgrade a package to its locked version, or, where the mode says so, take it back to it."""
        file = PackageFile(locked.name, locked.version, locked.architecture, "store", locked.sha256)
        record = self._records.get(name)
        if there is None:
            if asked:
                self._to.asks[name] = Ask(name, locked.version, "declared", file)
        elif there.version == locked.version:
            return
        elif there.held and name not in self._our_holds:
            self._to.notes.append(
                f"{name} is on hold: it stays at {there.version} (locked: {locked.version})"
            )
        elif older(there.version, locked.version):
            self._to.asks[name] = Ask(name, locked.version, "the lock has a newer version", file)
        elif self._options.mode == "back" and record is not None and record.put(there.version):
            self._to.asks[name] = Ask(name, locked.version, "back to the version it had", file, back=True)
        elif self._options.mode == "exact" and record is not None and record.placed:
            self._to.asks[name] = Ask(name, locked.version, "the lock has exactly this version", file)
        elif asked:
            why = ", and we did not install it" if self._options.mode == "exact" else ""
            self._to.notes.append(
                f"{name} {there.version} is newer than the locked {locked.version}{why}: it stays"
            )

    def _recorded(self, name: str, record: PackageRecord) -> None:
        """A package of ours that nobody asks for by name."""
        there, locked = self._database.whole(name), self._locked.get(name)
        if record.version is None:
            if name not in self._remove:
                self._bring_back(name, record, there)
            return
        if there is None:
            if locked is None:
                self._to.forgotten.add(name)
            return
        if locked is not None:
            self._bring(name, locked, there, asked=False)
            if there.automatic == record.automatic:  # otherwise a person has said something else
                self._to.automatic[name] = (
                    locked.automatic if record.before is None else record.before_automatic
                )
        elif record.before is not None:
            self._give_up(name, record, there)
        elif record.automatic and not there.automatic:
            self._to.notes.append(f"{name} stays: somebody marked it as installed on purpose")
            self._to.forgotten.add(name)
        elif name not in self._remove and (why := why_protected(there, self._kernel)):
            self._to.notes.append(f"{name} stays, although nothing here wants it any more: {why}")
            self._to.forgotten.add(name)
        elif name not in self._remove:
            self._to.asks[name] = Ask(name, None, "nothing wants it any more")

    def _bring_back(self, name: str, record: PackageRecord, there: Installed | None) -> None:
        self._to.forgotten.add(name)
        if there is not None or record.before is None:
            return
        self._to.asks[name] = Ask(
            name, record.before, "no longer declared to be removed", _kept(name, record)
        )
        self._to.automatic[name] = record.before_automatic

    def _give_up(self, name: str, record: PackageRecord, there: Installed) -> None:
        """A package that was there before us, and that nobody asks for any more."""
        if there.automatic == record.automatic:
            self._to.automatic[name] = record.before_automatic
        assert record.before is not None
        ours = self._options.mode != "forward" and there.version == record.version != record.before
        if ours:
            self._to.asks[name] = Ask(
                name, record.before, "back to the version it had", _kept(name, record), back=True
            )
        else:
            self._to.forgotten.add(name)

    def _unwelcome(self, name: str) -> None:
        there = self._database.packages.get(name)
        if there is None or there.status == "config-files" or name in self._install:
            return
        if there.held and name not in self._our_holds:
            self._to.problems.append(f"the package {name} is to be removed, but it is on hold")
            return
        if not self._options.protected and (why := why_protected(there, self._kernel)):
            self._to.problems.append(f"the package {name} is to be removed, but {why}")
            return
        self._to.asks[name] = Ask(name, None, "declared to be removed")

    def _keep_what_is_needed(self) -> None:
        going = {
            name for name, ask in self._to.asks.items() if ask.version is None and name not in self._remove
        }
        declared = {name for name, ask in self._to.asks.items() if ask.version is None} - going
        rest = Database(
            self._database.architecture,
            {name: one for name, one in self._database.packages.items() if name not in declared},
        )
        for name, needing in needed_by_others(rest, frozenset(going)).items():
            del self._to.asks[name]
            self._to.automatic[name] = True
            self._to.notes.append(
                f"{name} stays, although nothing here wants it any more: {needing} needs it"
            )

    def _mark_holds(self) -> None:
        for name in self._hold:
            there, ask = self._database.whole(name), self._to.asks.get(name)
            if (there is None and (ask is None or ask.version is None)) and name not in self._locked:
                self._to.problems.append(f"the package {name} is to be held, but it is not installed")
            else:
                self._to.holds[name] = True
        for name in self._our_holds - self._hold.keys():
            self._to.holds[name] = False


def _kept(name: str, record: PackageRecord) -> PackageFile:
    assert record.before is not None
    return PackageFile(name.partition(":")[0], record.before, record.before_architecture, "kept")
