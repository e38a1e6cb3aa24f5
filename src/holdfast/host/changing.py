"""Changing a machine under its lock: what a crash left is put right first, packages come before files, and both go back together."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import field, replace
from pathlib import Path
from typing import Literal

from holdfast.base.digests import hex_of
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message
from holdfast.base.records import dataclass
from holdfast.host import packages
from holdfast.host import state as places
from holdfast.host.change import Change, ChangeKind, Prepared, supersedes
from holdfast.host.drift import Drift
from holdfast.host.failures import BusyError, RefusedError, StuckError, TakenBackError
from holdfast.host.files.actions import Action, Keep
from holdfast.host.files.nodes import File
from holdfast.host.generations import Generations
from holdfast.host.home import locked
from holdfast.host.kept import prune_kept
from holdfast.host.live import Live
from holdfast.host.packages.change import PackageChange, PackageOptions
from holdfast.host.planning.facts import read_recorded_state
from holdfast.host.preparing import Request, prepare, prepare_state
from holdfast.host.secret_marks import prune_marks
from holdfast.host.secrets import refuse_undecryptable
from holdfast.host.state import Adopted, State, current_generation
from holdfast.host.support import run_checks
from holdfast.host.transaction import execute
from holdfast.host.transaction import recover as recover_run
from holdfast.host.trial import Trial, begin, end, read_trial


@dataclass(frozen=True)
class SwitchOptions:
    wait_seconds: float = 0.0
    """How long another run is waited for."""
    ephemeral: bool = False
    """Only until the next reboot, see :mod:`holdfast.host.trial`."""
    packages: PackageOptions = field(default_factory=PackageOptions)
    """How far a change of packages may go."""


@dataclass(frozen=True)
class Recovered:
    """What was found of a run that did not end, and what became of it."""

    kind: Literal["finished", "undone"]
    generation: int | None
    """Current now."""
    what: str
    """The run in words: ``switch to generation 4``."""


@dataclass(frozen=True)
class SwitchResult:
    """What a command did. Nothing when ``change.empty``."""

    change: Change
    recovered: Recovered | None = None
    ended: Trial | None = None
    """A trial that it ended first."""


@contextmanager
def changing(live: Live, options: SwitchOptions) -> Generator[Changing]:
    """Hold the machine's lock, with no run open.

    Raises:
        BusyError: another run holds it.
        StuckError: what a crash left could not be put right.
    """
    with locked(live, wait_seconds=options.wait_seconds) as home:
        recovered = _recover(live, home)
        _tidy(live, home)  # the last run may have been cut short after its commit
        yield Changing(live, home, options, recovered)


def _recover(live: Live, home: Path) -> Recovered | None:
    run = recover_run(live, home)
    trial = read_trial(live)
    if trial is not None and trial.interrupted:
        end(live)
    state = read_recorded_state(live.root)
    of_packages = (
        packages.recover(live, committed=state.transaction if state else "") if live.running else None
    )
    current = current_generation(state)
    if run is not None:
        return Recovered("finished" if run.finished else "undone", current, run.entry.what)
    if of_packages is not None:
        return Recovered(of_packages, current, "a change of packages")
    if trial is not None and trial.interrupted:
        return Recovered("undone", current, "a trial")
    return None


def _tidy(live: Live, home: Path) -> None:
    """Forget what nothing refers to any more."""
    prune_kept(home)
    if (home / "secrets").exists():
        prune_marks(home, read_recorded_state(live.root))


class Changing:
    """The machine while its lock is held."""

    def __init__(self, live: Live, home: Path, options: SwitchOptions, recovered: Recovered | None) -> None:
        self._live, self._home, self._options, self.recovered = live, home, options, recovered

    def make(self, request: Request) -> SwitchResult:
        """Plan and carry out; see :func:`holdfast.host.operations.switch` for what it raises."""
        ended = end(self._live)
        request = replace(
            request,
            transaction=secrets.token_hex(6),
            package_options=self._options.packages,
        )
        prepared = prepare(self._live, request)
        change = prepared.change.packages
        if change is not None and change.problems:
            raise RefusedError(
                "the packages cannot be changed as the definition says",
                details="\n".join(f"- {problem}" for problem in change.problems),
                resolution="Nothing was touched.",
            )
        if request.wanted is not None and self._live.running and not prepared.change.empty:
            run_checks(request.wanted.manifest, self._live)
        if request.kind == "try" and request.wanted is not None:
            if not prepared.change.empty:
                refuse_undecryptable(prepared.change.steps, self._live)
                begin(prepared, request.wanted, self._live)
            return SwitchResult(prepared.change, self.recovered, ended)
        if change is None or change.empty:
            refuse_undecryptable(prepared.change.steps, self._live)
            execute(prepared, self._live, self._home)
        else:
            prepared = self._with_packages(request, change)
        if supersedes(request.kind):
            Generations(self._home, None).set_pending(None)  # also where it took no run
        _tidy(self._live, self._home)
        return SwitchResult(prepared.change, self.recovered, ended)

    def end_trial(self, kind: ChangeKind) -> SwitchResult | None:
        """Take back what is tried, and nothing else; None when nothing is."""
        ended = end(self._live)
        if ended is None:
            return None
        state = read_recorded_state(self._live.root)
        current = current_generation(state)
        return SwitchResult(Change(kind, current, current, (), (), state, state), self.recovered, ended)

    def _with_packages(self, request: Request, change: PackageChange) -> Prepared:
        """Packages first; then facts and plan anew, since packages bring users, units and files."""
        state = read_recorded_state(self._live.root)
        try:
            result = packages.apply(change, self._live, state, request.transaction)
        except RefusedError:
            raise  # nothing was touched
        except BaseException as error:
            self._packages_back(change, error)
            raise
        try:
            prepared = prepare(self._live, replace(request, packages=result))
            prepared = replace(prepared, change=replace(prepared.change, packages=change))
            refuse_undecryptable(prepared.change.steps, self._live)  # what decrypts may have come with them
            execute(prepared, self._live, self._home)
        except StuckError:
            raise  # files that are not back need the packages that they were made for
        except BaseException as error:
            committed = read_recorded_state(self._live.root)
            if committed is None or committed.transaction != request.transaction:
                self._packages_back(change, error)
            raise
        packages.finish(result.after)
        brought = replace(result, stale=packages.find_stale() if result.stale else ())
        return replace(prepared, change=replace(prepared.change, brought=brought))

    def _packages_back(self, change: PackageChange, error: BaseException) -> None:
        """Take packages back, and say so in the error raised in place of an ordinary one."""
        if isinstance(error, BusyError):
            return  # somebody else uses the package manager: nothing was touched
        message("Taking back the packages", level="warning")
        packages.undo(change, self._live)
        if isinstance(error, HoldfastError) and not isinstance(error, TakenBackError):
            done = "The packages were taken back; everything is as it was before."
            raise TakenBackError(
                error.brief,
                details="\n".join(part for part in (error.details, done) if part),
                resolution=error.resolution,
            ) from error

    def adopt(self, state: State, drift: list[Drift]) -> SwitchResult:
        """Record drifted paths as accepted, and keep what is in them. The caller has ended the trial."""
        if not drift:
            nothing = Change("adopt", state.generation, state.generation, (), (), state, state)
            return SwitchResult(nothing, self.recovered)
        kept = set(self._live.root.locate(places.KEPT).names)
        keeping: dict[str, Action] = {}
        accepted, paths = dict(state.adopted), dict(state.paths)
        for one in drift:
            earlier = state.adopted.get(one.path)
            accepted[one.path] = Adopted(earlier.declared if earlier else one.wanted, one.found)
            paths[one.path] = replace(paths[one.path], node=one.found)
            if isinstance(one.found, File) and hex_of(one.found.digest) not in kept:
                keeping[one.found.digest] = Keep(one.path, one.found.digest, "accepted as it is")
        new = replace(state, adopted=accepted, paths=paths)
        prepared = prepare_state(self._live, "adopt", state, new, tuple(keeping.values()))
        execute(prepared, self._live, self._home)
        _tidy(self._live, self._home)
        return SwitchResult(prepared.change, self.recovered)
