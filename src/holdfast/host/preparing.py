"""From what a machine is to become to the change that makes it so: facts are read, everything else is decided without looking."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from pathlib import Path

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.records import dataclass
from holdfast.host import packages
from holdfast.host import state as places
from holdfast.host.accounts.ids import Ids
from holdfast.host.change import Change, ChangeKind, FileChange, Prepared, Wanted
from holdfast.host.files.actions import Action, MakeDirectory
from holdfast.host.files.content import Contents
from holdfast.host.files.diffs import LARGE, file_changes, with_difference
from holdfast.host.files.nodes import Absent, Node, seen_as
from holdfast.host.generations import Generations
from holdfast.host.home import home_path
from holdfast.host.journal import read_journal
from holdfast.host.live import Live
from holdfast.host.packages.change import PackageChange, PackageOptions, PackageResult
from holdfast.host.planning.arranging import Arranged, arrange, read_surroundings
from holdfast.host.planning.facts import Facts, Recording, read_facts, read_recorded_state
from holdfast.host.planning.plan import Plan, make_plan
from holdfast.host.state import Managed, State, current_generation
from holdfast.host.steps import ChangeFiles, Commit, CoverFiles, Step, UnitJob
from holdfast.host.support import warn_of_distribution
from holdfast.host.trial import as_trial
from holdfast.manifest.document import manifest_digest
from holdfast.manifest.model import Manifest


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    kind: ChangeKind
    wanted: Wanted | None
    """None: nothing of ours."""
    generation: int | None = None
    """The number it gets; None: that of the same generation if it is current, otherwise a new one."""
    only: Collection[str] | None = None
    """Real paths to which the change is limited."""
    transaction: str = ""
    """What the run is called; given when it is to be carried out."""
    packages: PackageResult | None = None
    """What the change of packages brought, once that is made."""
    package_options: PackageOptions = field(default_factory=PackageOptions)
    """How far a change of packages may go. Going back is going back whatever its mode says, unless that is ``exact``."""


def prepare(live: Live, request: Request) -> Prepared:
    """Look at the machine and plan.

    Raises:
        HoldfastError: the machine cannot be read, or cannot be made what is asked for; names every reason.
    """
    home = home_path(live)
    state = read_recorded_state(live.root)
    wanted = request.wanted
    change = _plan_packages(live, request, state)
    after = request.packages.after if request.packages else change.after if change else None
    if wanted is None:
        recording = Recording(state.generation if state else 0, b"", after)
    else:
        number = request.generation or Generations(home, state).number_for(wanted)
        recording = Recording(number, wanted.origin(), after)
    manifest = wanted.manifest if wanted else None
    ids, epoch = wanted.ids if wanted else Ids(), int(time.time())
    known = _with_new_conffiles(live, state, request.packages)
    facts = read_facts(live.root, manifest, known, ids=ids, epoch=epoch, recording=recording)
    provisional = change is not None and not change.empty
    plan = make_plan(
        facts, known, manifest, ids=ids, epoch=epoch, recording=recording, provisional=provisional
    )
    if request.only is not None:
        limited = tuple(step for step in plan.secrets if step.path in request.only)
        plan = replace(plan, actions=_limited(plan.actions, request.only), secrets=limited)
    previous, unknown = _previous(home, state, manifest)
    content = Contents(plan.contents, live.root, live.blobs)
    arranged = arrange(
        plan,
        read_surroundings(live, plan, state, manifest, content.read),
        links=facts.basics.units.links,
        state=state,
        manifest=manifest,
        previous=previous,
        jobs=_jobs_beside(live, request, manifest),
        files_only=request.kind == "prepopulate",
    )
    if request.kind == "try":
        arranged = as_trial(arranged, live, state, change)
    warnings = warn_of_distribution(live, manifest) if manifest else ()
    return _assemble(request, arranged, facts, state, change, (*warnings, *unknown))


def _previous(
    home: Path, state: State | None, manifest: Manifest | None
) -> tuple[Manifest | None, tuple[str, ...]]:
    """What the current generation says; None and a warning where it cannot be read: that must not be the end of all changes."""
    if state is None or not state.active:
        return None, ()
    if manifest is not None and manifest_digest(manifest) == state.manifest:
        return manifest, ()
    try:
        return Generations(home, state).read(state.generation).manifest, ()
    except HoldfastError as error:
        return None, (f"what the current generation says of its units is not known: {error.brief}",)


def _jobs_beside(live: Live, request: Request, manifest: Manifest | None) -> tuple[UnitJob, ...]:
    """What is to be done to units because of packages: those that were changed just now, or by anybody before."""
    if request.packages is not None:
        return packages.jobs_for(request.packages, manifest)
    if not request.package_options.restart_stale or live.systemd is None:
        return ()
    return packages.stale_jobs(packages.find_stale())


def _plan_packages(live: Live, request: Request, state: State | None) -> PackageChange | None:
    """What is to happen to packages: before anything else, and never where nothing runs."""
    if not live.running or request.packages is not None or request.kind in ("repair", "prepopulate"):
        return None
    wanted = request.wanted
    if wanted is not None and wanted.manifest.distribution.family != "debian":
        return None
    asked = None if wanted is None else wanted.packages or packages.unlocked(wanted.manifest)
    back = request.kind in ("rollback", "deactivate")
    options = request.package_options
    if back and options.mode == "forward":
        options = replace(options, mode="back")
    declared = wanted.manifest.files if wanted else ()
    facts = packages.read_package_facts(live, asked, state, options, declared)
    return packages.plan_packages(facts, asked, state, options)


def _with_new_conffiles(live: Live, state: State | None, result: PackageResult | None) -> State | None:
    """Packages brought new versions of files that we manage: those come back when we let go of them.

    What was purged with its package does not come back.
    """
    if state is None or result is None:
        return state
    paths = dict(state.paths)
    for one in result.conffiles:
        if one.restored and one.path in paths:
            paths[one.path] = replace(paths[one.path], before=one.file)
    for path in state.packages.conffiles:
        if path in paths and path not in result.after.conffiles and live.root.locate(path).node == Absent():
            paths[path] = replace(paths[path], before=Absent())
    return replace(state, paths=paths)


def _assemble(
    request: Request,
    arranged: Arranged,
    facts: Facts,
    state: State | None,
    package_change: PackageChange | None,
    warnings: tuple[str, ...],
) -> Prepared:
    """The change as a whole (pure)."""
    transaction = request.transaction or secrets.token_hex(6)
    plan, steps = arranged.plan, arranged.steps
    if request.kind == "try":
        return _assemble_trial(arranged, facts, state, transaction, warnings)
    if steps or plan.record or arranged.recording or request.packages is not None:
        plan = plan.marked(transaction)
        steps = (*steps, Commit(plan.record))
    managed: Mapping[str, Managed] = state.paths if state else {}
    found = _found(facts, managed)
    change = Change(
        request.kind,
        current_generation(state),
        current_generation(plan.state),
        steps,
        file_changes(plan.actions, plan.secrets, managed, found),
        state,
        plan.state,
        transaction,
        (*plan.notes, *(package_change.notes if package_change else ())),
        (*warnings, *(package_change.warnings if package_change else ())),
        package_change,
        request.packages,
    )
    return Prepared(change, plan.contents)


def _found(facts: Facts, managed: Mapping[str, Managed]) -> dict[str, Node]:
    """What is at managed paths; a secret that nobody changed is itself."""
    found: dict[str, Node] = {}
    for path, located in facts.managed.items():
        known = path in managed and path not in facts.changed_secrets
        found[path] = seen_as(managed[path].node, located.node) if known else located.node
    return found


def _assemble_trial(
    arranged: Arranged, facts: Facts, state: State | None, transaction: str, warnings: tuple[str, ...]
) -> Prepared:
    """A change that nothing records (pure)."""
    plan = arranged.plan
    current = current_generation(state)
    managed: Mapping[str, Managed] = state.paths if state else {}
    found = _found(facts, managed)
    covered = [
        layer.directory for step in arranged.steps if isinstance(step, CoverFiles) for layer in step.layers
    ]
    read_only = tuple(f"{one} is read-only as long as the trial lasts" for one in covered)
    change = Change(
        "try",
        current,
        current,
        arranged.steps,
        file_changes(plan.actions, plan.secrets, managed, found),
        state,
        state,
        transaction,
        plan.notes,
        (*warnings, *read_only),
    )
    return Prepared(change, plan.contents)


def prepare_state(
    live: Live, kind: ChangeKind, state: State, new: State, keeping: tuple[Action, ...]
) -> Prepared:
    """A change of nothing but what is recorded, and of what is kept for it."""
    found = live.root.locate(places.STATE)
    marked = Plan(keeping, (), {}, new, state_before=found.node, state_path=found.real).marked(
        secrets.token_hex(6)
    )
    steps: tuple[Step, ...] = (
        *((ChangeFiles(keeping),) if keeping else ()),
        Commit(marked.record),
    )
    change = Change(
        kind,
        state.generation,
        new.generation,
        steps,
        (),
        state,
        marked.state,
        marked.state.transaction,
    )
    return Prepared(change, marked.contents)


def _limited(actions: tuple[Action, ...], only: Collection[str]) -> tuple[Action, ...]:
    """The actions for some paths, and the directories that these need."""
    above = {str(parent) for path in only for parent in Path(path).parents}
    return tuple(
        action
        for action in actions
        if action.path in only or (isinstance(action, MakeDirectory) and action.path in above)
    )


def with_differences(prepared: Prepared, live: Live) -> Change:
    """The change with what changes in the text of files; nothing is changed by looking.

    Raises:
        HoldfastError: stored content is missing.
    """
    contents = Contents(prepared.contents, live.root, live.blobs)

    def read(path: str, digest: Digest) -> bytes | None:
        if not path:
            return contents.read(digest)
        data = live.root.read(path, at_most=LARGE + 1)
        if data is None or len(data) > LARGE:
            return data
        return data if digest_bytes(data) == digest else None

    files: tuple[FileChange, ...] = tuple(with_difference(one, read) for one in prepared.change.files)
    return replace(prepared.change, files=files)


def warn_of_interruption(change: Change, live: Live) -> Change:
    """A plan says when it is made on a machine on which a run did not end."""
    entry = read_journal(home_path(live))
    if entry is None:
        return change
    told = f"a run did not end ({entry.what}): the next command that changes something takes it back first"
    return replace(change, warnings=(*change.warnings, told))
