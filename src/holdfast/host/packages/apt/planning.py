"""From facts to a change of packages: what apt says that it would do, judged (pure)."""

from __future__ import annotations

from dataclasses import field, replace

from holdfast.base.debian_versions import older
from holdfast.base.records import dataclass
from holdfast.host.packages.apt.database import key
from holdfast.host.packages.apt.facts import PackageFacts, Simulated, Simulation
from holdfast.host.packages.apt.intent import Intent, intend, why_protected
from holdfast.host.packages.change import (
    PackageAction,
    PackageChange,
    PackageFile,
    PackageMark,
    PackageOptions,
    Verb,
)
from holdfast.host.packages.record import PackageRecord, PackageState
from holdfast.host.packages.wanted import WantedPackages

_SPARE = 64 << 20
"""Bytes that stay free: for what maintainer scripts write, and apt's own caches."""


def plan_packages(
    facts: PackageFacts,
    wanted: WantedPackages | None,
    recorded: PackageState,
    holds: tuple[str, ...] = (),
    options: PackageOptions = PackageOptions(),
) -> PackageChange:
    """Everything that is to happen to the packages of a machine of which ``facts`` are known."""
    intent = intend(facts.database, wanted, recorded, holds, options, kernel=facts.kernel)
    work = _Planning(facts, wanted, recorded, intent, options)
    work.judge_machine()
    work.judge_simulation()
    actions = tuple(work.actions[name] for name in sorted(work.actions))
    marks = work.marks()
    irreversible = tuple(
        f"{action.package} {action.before}"
        for action in actions
        if action.old is not None and not action.old.source
    )
    if irreversible and not options.irreversible:
        work.problems.append(
            f"packages irreversible: the old package files of {', '.join(irreversible)} cannot be had, so the change could not be taken back"
        )
    return PackageChange(
        actions,
        marks,
        recorded,
        PackageState(work.records_after(marks), facts.conffiles.packaged),
        facts.conffiles.debris,
        facts.declared if actions else (),
        irreversible,
        tuple(work.problems),
        tuple(work.notes),
        tuple(work.warnings),
        options,
        wanted.recommends if wanted is not None else False,
        facts.fingerprint,
    )


@dataclass
class _Planning:
    facts: PackageFacts
    wanted: WantedPackages | None
    recorded: PackageState
    intent: Intent
    options: PackageOptions
    actions: dict[str, PackageAction] = field(default_factory=lambda: {})
    problems: list[str] = field(default_factory=lambda: [])
    notes: list[str] = field(default_factory=lambda: [])
    warnings: list[str] = field(default_factory=lambda: [])

    def judge_machine(self) -> None:
        self.problems += self.intent.problems
        self.notes += self.intent.notes
        wanted, facts = self.wanted, self.facts
        if wanted is not None and (wanted.install or wanted.remove or wanted.hold):
            if not facts.database.architecture:
                self.problems.append(
                    "this machine has no dpkg, and the definition is about packages of the Debian family"
                )
            elif wanted.architecture != facts.database.architecture:
                self.problems.append(
                    f"the packages are for {wanted.architecture}, but this machine's are {facts.database.architecture}"
                )
            if wanted.release not in facts.releases:
                self.problems.append(
                    f"the packages are locked for {wanted.release}, but this machine is {facts.distribution or 'something else'}:"
                    " packages of another release are not mixed in"
                )
        if not (self.intent.asks or self.intent.automatic or self.intent.holds):
            return
        if not facts.live and self.intent.asks:
            self.problems.append("packages can only be changed on the machine itself, not below a directory")
        if facts.interrupted:
            self.problems.append(
                "dpkg was interrupted on this machine: run `dpkg --configure -a` there, then try again"
            )
        elif self.intent.asks and facts.busy is None:
            self._judge_halves()
        if facts.busy is not None and self.intent.asks:
            self.notes.append(
                f"{facts.busy.command} (process {facts.busy.pid}) is changing packages: it is waited for"
            )

    def _judge_halves(self) -> None:
        """What somebody else left half installed would be configured with ours: by whom, nobody could tell afterwards."""
        going = {name for name, ask in self.intent.asks.items() if ask.version is None}
        halves = [
            f"{name} ({one.status})"
            for name, one in sorted(self.facts.database.packages.items())
            if not one.whole and one.status != "config-files" and name not in going
        ]
        if halves:
            self.problems.append(
                f"somebody else's change of packages did not come to its end on this machine, and left {', '.join(halves)}:"
                " run `dpkg --configure -a` there (`dpkg --audit` says more), then try again"
            )

    def judge_simulation(self) -> None:
        if not self.intent.asks or self.problems:
            return
        problems = self._problems(self.facts.simulation)
        chosen = self.facts.simulation
        if problems and self.facts.again is not None and not self._problems(self.facts.again):
            chosen, problems = self.facts.again, []
            for ask in [ask for ask in self.intent.asks.values() if ask.back]:
                self.notes.append(
                    f"{ask.package} stays as it is: others need it in a newer version than {ask.version}"
                )
                del self.intent.asks[ask.package]
        self.problems += problems
        for step in chosen.steps:
            self._act(step)
        going = sorted(name for name, one in self.actions.items() if one.verb == "remove")
        if going:
            self.notes.append(
                f"configuration and data of {', '.join(going)} stay; `apt-get purge` removes them"
            )
        needed = sum(
            self.facts.sizes.get(name, 0) for name, one in self.actions.items() if one.after is not None
        )
        freed = sum(
            there.size for name in self.actions if (there := self.facts.database.whole(name)) is not None
        )
        if needed and needed - freed + _SPARE > self.facts.free:
            self.problems.append(
                f"the packages need {max(needed - freed, 0) + _SPARE >> 20} MB, and {self.facts.free >> 20} MB are free"
            )

    def _problems(self, simulation: Simulation) -> list[str]:
        if simulation.error:
            missing = sorted(
                ask.package
                for ask in self.intent.asks.values()
                if ask.file is not None
                and (ask.file.name, ask.file.version, ask.file.architecture) not in self.facts.offered
            )
            hint = f" (the package files of {', '.join(missing)} are not there)" if missing else ""
            return [f"apt cannot bring about the packages that are wanted{hint}: {simulation.error}"]
        problems: list[str] = []
        native = self.facts.database.architecture
        for step in simulation.steps:
            name = key(step.name, step.architecture, native)
            ask = self.intent.asks.get(name)
            there = self.facts.database.packages.get(name)
            if step.after is None and (ask is None or ask.version is not None):
                whose = (
                    "of ours, still wanted"
                    if name in self.recorded.packages
                    else "which Holdfast did not install"
                )
                problems.append(f"{name} would have to be removed, {whose}: the definition does not say so")
            elif step.after is None and there is not None and not self.options.protected:
                why = why_protected(there, self.facts.kernel)
                if why:
                    problems.append(f"{name} is to be removed, but {why}")
            elif _goes_back(step) and (ask is None or ask.version != step.after):
                problems.append(f"{name} would have to go back from {step.before} to {step.after}")
            held = there is not None and there.held and self.intent.holds.get(name) is None
            if held and step.before != step.after:
                problems.append(f"{name} is on hold, and would have to change")
        return problems

    def _act(self, step: Simulated) -> None:
        name = key(step.name, step.architecture, self.facts.database.architecture)
        ask = self.intent.asks.get(name)
        verb: Verb
        new: PackageFile | None = None
        there = self.facts.database.packages.get(name)
        if step.after is None:
            ours = (record := self.recorded.packages.get(name)) is not None and record.before is None
            verb = "purge" if self.options.purge and ours else "remove"
        else:
            verb = "install"
            if step.before is not None:
                verb = "downgrade" if _goes_back(step) else "upgrade"
            new = self._file(step, name)
        self.actions[name] = PackageAction(
            verb,
            name,
            step.before,
            step.after,
            ask.reason if ask is not None else "needed by what is wanted",
            None if step.before is None else self.facts.old.get(name, _nowhere(step)),
            new,
            configured=step.before is None and there is not None,
        )

    def _file(self, step: Simulated, name: str) -> PackageFile:
        ask = self.intent.asks.get(name)
        if ask is not None and ask.file is not None and ask.version == step.after:
            return ask.file
        for one in self.wanted.packages if self.wanted is not None else ():
            if (one.name, one.version) == (step.name, step.after) and one.architecture in (
                step.architecture,
                "all",
            ):
                return PackageFile(one.name, one.version, one.architecture, "store", one.sha256)
        return PackageFile(step.name, step.after or "", step.architecture)

    def marks(self) -> tuple[PackageMark, ...]:
        names = {*self.actions, *self.intent.automatic, *self.intent.holds}
        marks: list[PackageMark] = []
        for name in sorted(names):
            there, action = self.facts.database.whole(name), self.actions.get(name)
            if (action is None and there is None) or (action is not None and action.after is None):
                continue
            before = there.automatic if there is not None else False
            held_before = there.held if there is not None else False
            default = before if there is not None else name not in self.intent.asks
            automatic = self.intent.automatic.get(name, default)
            held = self.intent.holds.get(name, held_before)
            if action is not None or (automatic, held) != (before, held_before):
                marks.append(PackageMark(name, before, automatic, held_before, held))
        return tuple(marks)

    def records_after(self, marks: tuple[PackageMark, ...]) -> dict[str, PackageRecord]:
        after = dict(self.recorded.packages)
        for name in self.intent.forgotten:
            after.pop(name, None)
        automatic = {mark.package: mark.automatic for mark in marks}
        for name, action in self.actions.items():
            record = _record(self, name, action, automatic=automatic.get(name, False))
            as_found = record is not None and (record.version, record.automatic) == (
                record.before,
                record.before_automatic,
            )
            if record is None or as_found:
                after.pop(name, None)
            else:
                after[name] = record
        for name, mark in self.intent.automatic.items():
            there, known = self.facts.database.whole(name), after.get(name)
            if name in self.actions or there is None or name in self.intent.forgotten:
                continue
            if known is not None:
                after[name] = replace(known, automatic=mark)
            elif mark != there.automatic:
                after[name] = PackageRecord(
                    there.version,
                    mark,
                    there.version,
                    there.automatic,
                    there.architecture,
                    there.architecture,
                )
        return after


def _record(work: _Planning, name: str, action: PackageAction, *, automatic: bool) -> PackageRecord | None:
    """What is to be known of a package after ``action``; None when it is none of our business any more."""
    known, there = work.recorded.packages.get(name), work.facts.database.whole(name)
    if known is not None and known.version is None:
        known = None if name in work.intent.forgotten else known
    found = known or PackageRecord(
        None,
        before=action.before,
        before_automatic=there.automatic if there is not None else False,
        before_architecture=there.architecture if there is not None else "",
    )
    if action.after is None:
        return None if found.before is None else replace(found, version=None, automatic=False, sha256=None)
    if name in work.intent.forgotten:
        return None
    new = action.new
    return replace(
        found,
        version=action.after,
        automatic=automatic,
        architecture=new.architecture if new is not None else "",
        sha256=new.sha256 if new is not None else None,
    )


def _nowhere(step: Simulated) -> PackageFile:
    return PackageFile(step.name, step.before or "", step.architecture)


def _goes_back(step: Simulated) -> bool:
    return step.after is not None and step.before is not None and older(step.after, step.before)
