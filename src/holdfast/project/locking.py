"""Which systems need which package sets, and keeping ``holdfast.lock`` in step with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.events import stage
from holdfast.base.records import dataclass
from holdfast.build.accounts import pin_accounts, unpinned_accounts
from holdfast.distro.family import Update, family
from holdfast.distro.lockfile import Change, Ids, Lock, PackageSet, diff, read_lock, request_key, write_lock
from holdfast.manifest.model import Distribution, Manifest, Packages
from holdfast.project.evaluation import Evaluation
from holdfast.project.keeping import keep_locked
from holdfast.store import Store


@dataclass(frozen=True)
class Request:
    """One package set that is needed, and by whom."""

    key: Digest
    distribution: Distribution
    packages: Packages
    systems: tuple[str, ...]


@dataclass(frozen=True)
class SetReport:
    """What locking did for one request."""

    request: Request
    before: PackageSet | None
    """The set under the same key before, or the one the new set started from."""
    after: PackageSet
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class LockReport:
    """What locking did for the project."""

    path: Path
    sets: tuple[SetReport, ...]
    accounts: Mapping[str, Ids]
    """System name to the ids that its declared accounts were given now."""
    dropped: tuple[PackageSet, ...]
    """Sets that no system asks for any more."""
    written: bool


def requests_of(manifests: Iterable[Manifest]) -> tuple[Request, ...]:
    """The package sets these systems need; systems that ask for the same share one."""
    requests: dict[Digest, Request] = {}
    for manifest in manifests:
        key = request_key(manifest.distribution, manifest.packages)
        known = requests.get(key, Request(key, manifest.distribution, manifest.packages, ()))
        requests[key] = replace(known, systems=(*known.systems, manifest.name))
    return tuple(requests.values())


def lock_project(store: Store, evaluation: Evaluation, *, update: Update = "nothing") -> LockReport:
    """Make the project's lock cover the evaluated systems. Without ``update`` nothing that is locked moves.

    If all systems of the project were evaluated, sets that none of them asks for go.

    Raises:
        HoldfastError: the lock cannot be read or written, or a request cannot be resolved.
    """
    path = evaluation.lock_path
    old = read_lock(path)
    requests = requests_of(system.manifest for system in evaluation.systems)
    reports = tuple(_lock_one(store, old, request, update) for request in requests)
    kept: Mapping[str, PackageSet] = {} if evaluation.whole_project else old.sets
    new = replace(Lock(), sets=kept)
    for report in reports:
        new = new.with_set(report.after)
    new = _with_accounts(store, old, new, evaluation)
    dropped = tuple(old.sets[key] for key in sorted(old.sets.keys() - new.sets.keys()))
    written = new != old or not path.exists()
    if written:
        write_lock(path, new)
    keep_locked(store, path, new)
    return LockReport(path, reports, ids_given(old, new), dropped, written)


def _with_accounts(store: Store, old: Lock, new: Lock, evaluation: Evaluation) -> Lock:
    """``new`` with ids for the accounts that the evaluated systems declare, and those that ``old`` gave."""
    known = {
        name: ids
        for name, ids in old.accounts.items()
        if not evaluation.whole_project or name in evaluation.all_names
    }
    new = replace(new, accounts=known)
    for system in evaluation.systems:
        manifest = system.manifest
        pinned = pin_accounts(store, manifest, locked_set(new, manifest), known.get(system.name, Ids()))
        new = new.with_accounts(system.name, pinned)
    return new


def ids_given(old: Lock, new: Lock) -> Mapping[str, Ids]:
    """System name to the ids that ``new`` has and ``old`` had not; only systems that were given any."""
    given: dict[str, Ids] = {}
    for name, ids in new.accounts.items():
        before = old.accounts.get(name, Ids())
        users = {user: uid for user, uid in ids.users.items() if user not in before.users}
        groups = {group: gid for group, gid in ids.groups.items() if group not in before.groups}
        if users or groups:
            given[name] = Ids(users, groups)
    return given


def _lock_one(store: Store, lock: Lock, request: Request, update: Update) -> SetReport:
    existing = lock.sets.get(request.key)
    if existing is not None and update == "nothing":
        return SetReport(request, existing, existing, ())
    previous = existing or lock.nearest(request.distribution, request.packages)
    resolver = family(request.distribution)
    with stage(f"Resolving packages for {', '.join(request.systems)}") as progress:
        try:
            found = resolver.resolve(store, request.distribution, request.packages, previous, update=update)
        except HoldfastError as error:
            raise _for_systems(error, request) from error
        progress.note = f"{len(found.packages)} packages"
    changes = diff(previous, found, older=resolver.older) if previous is not None else ()
    return SetReport(request, previous, found, changes)


def _for_systems(error: HoldfastError, request: Request) -> HoldfastError:
    """The same error, saying whose packages could not be resolved."""
    distribution = request.distribution
    whose = f"Wanted by {', '.join(request.systems)} on {distribution.family} {distribution.release} ({distribution.architecture})."
    return HoldfastError(
        error.brief,
        details="\n".join(part for part in (whose, error.details) if part),
        resolution=error.resolution,
    )


def locked_set(lock: Lock, manifest: Manifest) -> PackageSet:
    """The set that ``manifest`` is built from.

    Raises:
        HoldfastError: the lock is stale; says how and names the command that mends it.
    """
    return lock.find(manifest.distribution, manifest.packages, system=manifest.name)


def locked_accounts(lock: Lock, manifest: Manifest) -> Ids:
    """The ids of the accounts that ``manifest`` declares.

    Raises:
        HoldfastError: the lock is stale; names the accounts and the command that mends it.
    """
    return lock.accounts_of(manifest.name, *unpinned_accounts(manifest))
