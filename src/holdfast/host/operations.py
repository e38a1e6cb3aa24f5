"""What can be done to a machine: the verbs of the command, each with a typed result.

Those that change something hold the lock, and first finish or take back what a crash left behind. Those that only look change nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import field, replace

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.host import confirmation
from holdfast.host.change import Change, Wanted
from holdfast.host.changing import Recovered as Recovered
from holdfast.host.changing import SwitchOptions as SwitchOptions
from holdfast.host.changing import SwitchResult as SwitchResult
from holdfast.host.changing import changing
from holdfast.host.drift import Drift as Drift
from holdfast.host.drift import read_drift
from holdfast.host.failures import RefusedError
from holdfast.host.files.nodes import Folder, Secret, Special
from holdfast.host.generations import Generation as Generation
from holdfast.host.generations import Generations
from holdfast.host.home import home_path
from holdfast.host.journal import read_journal
from holdfast.host.kept import prune_kept
from holdfast.host.live import Live
from holdfast.host.planning.facts import read_recorded_state
from holdfast.host.preparing import Request, prepare, warn_of_interruption, with_differences
from holdfast.host.secrets import find_problems
from holdfast.host.state import State
from holdfast.host.support import failing_checks
from holdfast.host.trial import Trial, read_trial

DEFAULTS = SwitchOptions()


@dataclass(frozen=True)
class Status:
    generation: int | None
    """None: Holdfast manages nothing here."""
    name: str = ""
    manifest: Digest | None = None
    drift: tuple[Drift, ...] = ()
    adopted: tuple[str, ...] = ()
    """Paths whose content on this machine was accepted in place of the definition's."""
    pending: int | None = None
    """Generation that waits for the next boot."""
    unconfirmed: bool = False
    """The current generation is taken back unless it is confirmed."""
    trial: Trial | None = None
    """What lasts until the next reboot alone."""
    interrupted: str = ""
    """A run that did not end: what it was to do. The next command that changes something recovers from it."""
    generations: tuple[Generation, ...] = field(default_factory=tuple)


def plan(live: Live, wanted: Wanted, *, diffs: bool = True, options: SwitchOptions = DEFAULTS) -> Change:
    """What a switch would do with these options, and why it would be refused. Nothing is changed, and no lock is needed.

    ``diffs``: look closely, at what changes in texts and what the definition's checks say; otherwise only whether anything is to be done.

    Raises:
        HoldfastError: the machine cannot be read, or cannot be made what is wanted; names every reason.
    """
    request = Request("try" if options.ephemeral else "switch", wanted)
    return _looked_at(live, request, options, diffs=diffs)


def plan_rollback(live: Live, number: int | None = None, options: SwitchOptions = DEFAULTS) -> Change:
    """What :func:`rollback` would do."""
    return _looked_at(live, _rollback_request(live, number), options)


_GIVEN_BACK = Change("deactivate", None, None, (), (), None, None)
"""What giving back a machine comes to that is not managed: again, or for the first time."""


def plan_deactivate(live: Live, options: SwitchOptions = DEFAULTS) -> Change:
    """What :func:`deactivate` would do."""
    if not _is_managed(live):
        return _GIVEN_BACK
    return _looked_at(live, Request("deactivate", None), options)


def plan_repair(live: Live, paths: Collection[str] = ()) -> Change:
    """What :func:`repair` would do."""
    return _looked_at(live, _repair_request(live, paths), DEFAULTS)


def _looked_at(live: Live, request: Request, options: SwitchOptions, *, diffs: bool = True) -> Change:
    prepared = prepare(live, replace(request, package_options=options.packages))
    trial = read_trial(live)
    if trial is not None:
        told = f"{trial.name or 'something'} is on trial: a change ends that first, and files may then differ from what is shown here"
        warnings = (*prepared.change.warnings, told)
        prepared = replace(prepared, change=replace(prepared.change, warnings=warnings))
    if not diffs:
        return warn_of_interruption(prepared.change, live)
    change = with_differences(prepared, live)
    problems = change.packages.problems if change.packages else ()
    if request.wanted is not None and live.running and not change.empty:
        problems = (*problems, *failing_checks(request.wanted.manifest))
    if os.geteuid() == 0 and (change.packages is None or change.packages.empty):
        problems = (*problems, *find_problems(change.steps, live))
    return warn_of_interruption(replace(change, problems=problems), live)


def switch(live: Live, wanted: Wanted, options: SwitchOptions = DEFAULTS) -> SwitchResult:
    """Make the machine what is wanted, or leave it as it is; with ``options.ephemeral`` only until the next reboot.

    Raises:
        TakenBackError: it failed, and everything is as before.
        StuckError: it failed, and not everything could be taken back.
        RefusedError: a check forbids it.
        BusyError: another run holds the lock.
        HoldfastError: it was not begun.
    """
    with changing(live, options) as work:
        return work.make(Request("try" if options.ephemeral else "switch", wanted))


def rollback(live: Live, number: int | None = None, options: SwitchOptions = DEFAULTS) -> SwitchResult:
    """Go to a generation that was there before: a fresh plan towards it. Default: the one before the current one.

    While something is tried, the default is to end that, and nothing else.

    Raises:
        HoldfastError: there is no such generation; otherwise as :func:`switch`.
    """
    with changing(live, options) as work:
        ended = work.end_trial("rollback") if number is None else None
        return ended or work.make(_rollback_request(live, number))


def deactivate(live: Live, options: SwitchOptions = DEFAULTS) -> SwitchResult:
    """Give everything back as it was found. Accounts that still own something are locked; ids are never used again.

    Raises:
        HoldfastError: as :func:`switch`.
    """
    with changing(live, options) as work:
        ended = work.end_trial("deactivate")
        if not _is_managed(live):
            return ended or SwitchResult(_GIVEN_BACK, work.recovered)
        return replace(work.make(Request("deactivate", None)), ended=ended.ended if ended else None)


def repair(live: Live, paths: Collection[str] = (), options: SwitchOptions = DEFAULTS) -> SwitchResult:
    """Put drifted paths back to what the current generation says; without ``paths``, all of them.

    Raises:
        HoldfastError: a path is not managed; otherwise as :func:`switch`.
    """
    with changing(live, options) as work:
        return work.make(_repair_request(live, paths))


def adopt(live: Live, paths: Collection[str] = (), options: SwitchOptions = DEFAULTS) -> SwitchResult:
    """Accept drifted paths as they are, until the definition says something else about them; without ``paths``, all of them.

    Raises:
        HoldfastError: a path is not managed, or of a kind that cannot be accepted; otherwise as :func:`switch`.
    """
    with changing(live, options) as work:
        work.end_trial("adopt")
        state = _managed_state(live)
        paths_there = _selected(live, state, paths)
        drift = [one for one in read_drift(live.root, state) if one.path in paths_there]
        impossible = [
            one.path
            for one in drift
            if isinstance(one.found, Special)
            or isinstance(one.wanted, Secret)
            or (isinstance(one.found, Folder) != isinstance(one.wanted, Folder))
        ]
        if impossible:
            raise HoldfastError(
                "not everything can be accepted as it is",
                details="\n".join(f"- {path}" for path in impossible),
                resolution="Repair these paths, or change the definition: what is there is a secret, a device, or a directory in place of a file.",
            )
        return work.adopt(state, drift)


def recover(live: Live, options: SwitchOptions = DEFAULTS) -> Recovered | None:
    """Finish or take back a run that did not end; None when there was none.

    Raises:
        StuckError: not everything could be taken back.
        BusyError: that run, or another one, is still under way.
    """
    with changing(live, options) as work:
        return work.recovered


def status(live: Live) -> Status:
    """What is current, what drifted, what waits.

    Raises:
        HoldfastError: the machine cannot be read.
    """
    home = home_path(live)
    state = read_recorded_state(live.root)
    kept = Generations(home, state)
    entry = read_journal(home)
    trial = read_trial(live)
    listed = kept.list()
    common = Status(
        None,
        pending=kept.pending(),
        unconfirmed=confirmation.read(home) is not None,
        trial=trial,
        interrupted=entry.what if entry else "a trial" if trial and trial.interrupted else "",
        generations=listed,
    )
    if state is None or not state.active:
        return common
    return replace(
        common,
        generation=state.generation,
        name=next((one.name for one in listed if one.current), ""),
        manifest=state.manifest,
        drift=tuple(
            one for one in read_drift(live.root, state) if trial is None or one.path not in trial.paths
        ),
        adopted=tuple(sorted(state.adopted)),
    )


def generations(live: Live) -> tuple[Generation, ...]:
    """All that the machine has, in order.

    Raises:
        HoldfastError: one is damaged.
    """
    return _generations(live).list()


def show_generation(live: Live, number: int) -> Wanted:
    """What a generation was wanted to be.

    Raises:
        HoldfastError: there is no such generation.
    """
    return _generations(live).read(number)


def demand_deletable(live: Live, number: int) -> None:
    """Raises:
    HoldfastError: why :func:`delete_generation` would refuse.
    """
    _generations(live).demand_deletable(number)


def delete_generation(live: Live, number: int, options: SwitchOptions = DEFAULTS) -> None:
    """Forget a generation.

    Raises:
        HoldfastError: it is not there, current, or waits for the next boot.
    """
    with changing(live, options):
        _generations(live).delete(number)
        prune_kept(home_path(live))


def prune_generations(live: Live, keep: int, options: SwitchOptions = DEFAULTS) -> tuple[int, ...]:
    """Forget all but the newest ``keep``, never the current one; returns the numbers of those that went.

    Raises:
        HoldfastError: one cannot be removed.
    """
    with changing(live, options):
        gone = _generations(live).prune(keep)
        prune_kept(home_path(live))
        return gone


def register(live: Live, wanted: Wanted, options: SwitchOptions = DEFAULTS) -> Generation:
    """Record a generation and activate nothing.

    Raises:
        HoldfastError: it cannot be written.
    """
    with changing(live, options):
        kept = _generations(live)
        number = kept.register(wanted)
        return next(one for one in kept.list() if one.number == number)


def prepopulate(live: Live, wanted: Wanted, options: SwitchOptions = DEFAULTS) -> SwitchResult:
    """Put a generation's files in place and make it current, but start, reload and probe nothing: the next boot does.

    Raises:
        HoldfastError: as :func:`switch`.
    """
    with changing(live, options) as work:
        return work.make(Request("prepopulate", wanted))


def boot(live: Live, wanted: Wanted, options: SwitchOptions = DEFAULTS) -> Generation:
    """Record a generation that becomes current at the next boot. Who calls this sees to it that the boot activates it.

    Raises:
        RefusedError: packages would have to change for it.
        HoldfastError: it cannot be made on this machine, or not be written.
    """
    with changing(live, options):
        # What is impossible is said now, not at the next boot.
        change = prepare(live, Request("boot", wanted)).change
        if change.packages is not None and not change.packages.empty:
            raise RefusedError(
                "packages cannot be changed by the next boot",
                details="\n".join(f"- {one.verb} {one.package}" for one in change.packages.actions),
                resolution="Run `holdfast switch`: it changes them now.",
            )
        kept = _generations(live)
        number = kept.register(wanted)
        kept.set_pending(number)
        return next(one for one in kept.list() if one.number == number)


def prunable_generations(live: Live, keep: int) -> tuple[int, ...]:
    """Those that :func:`prune_generations` would forget."""
    return _generations(live).prunable(keep)


def activate(live: Live, number: int | None = None, options: SwitchOptions = DEFAULTS) -> SwitchResult:
    """Make a recorded generation the current one; without a number, the newest.

    Raises:
        HoldfastError: there is no such generation; otherwise as :func:`switch`.
    """
    with changing(live, options) as work:
        kept = _generations(live)
        numbers = kept.numbers()
        if number is None and not numbers:
            raise HoldfastError(
                "there is no generation on this machine yet", resolution="Run `holdfast switch` first."
            )
        chosen = numbers[-1] if number is None else number
        return work.make(Request("activate", kept.read(chosen), generation=chosen))


def _generations(live: Live) -> Generations:
    return Generations(home_path(live), read_recorded_state(live.root))


def _rollback_request(live: Live, number: int | None) -> Request:
    kept = _generations(live)
    chosen = kept.previous() if number is None else number
    return Request("rollback", kept.read(chosen), generation=chosen)


def _is_managed(live: Live) -> bool:
    state = read_recorded_state(live.root)
    return state is not None and state.active


def _repair_request(live: Live, paths: Collection[str]) -> Request:
    state = _managed_state(live)
    only = _selected(live, state, paths) if paths else None
    wanted = _generations(live).read(state.generation)
    return Request("repair", wanted, generation=state.generation, only=only)


def _managed_state(live: Live) -> State:
    state = read_recorded_state(live.root)
    if state is None or not state.active:
        raise HoldfastError(
            "Holdfast manages nothing on this machine",
            resolution="Run `holdfast switch` first.",
        )
    return state


def _selected(live: Live, state: State, paths: Collection[str]) -> frozenset[str]:
    """Real paths of those that were asked for, or all."""
    if not paths:
        return frozenset(state.paths)
    real = {path: live.root.locate(path).real for path in paths}
    foreign = [path for path in paths if real[path] not in state.paths]
    if foreign:
        raise HoldfastError(
            f"{', '.join(foreign)}: not managed by Holdfast",
            resolution="`holdfast status` shows what drifted; give paths as they are there.",
        )
    return frozenset(real.values())
