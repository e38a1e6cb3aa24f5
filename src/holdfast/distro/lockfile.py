"""``holdfast.lock``: what exactly a definition's packages are, so that a build next year makes the same system.

JSON beside ``systems.py``. A *package set* is one request (distribution and wanted packages) with its answer; all systems
that ask for the same share one. No mirror is pinned: a source is an archive id and the digest of its signed InRelease
file, a package is a path in that archive, a size and a digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path, PurePosixPath
from typing import Literal, cast

from holdfast.base.atomic import write_atomically
from holdfast.base.codec import DecodeError, canonical_json, decode, pretty_json
from holdfast.base.digests import Digest, digest_bytes, parse_digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.records import dataclass
from holdfast.manifest.model import Distribution, Packages

VERSION = 1
FILE_NAME = "holdfast.lock"

_MAKE_ANEW = "Restore it from version control, or remove it and run `holdfast lock` to make it anew."


@dataclass(frozen=True)
class LockedSource:
    """One suite of one archive at one moment."""

    archive: str
    suite: str
    date: int
    """Seconds since the epoch: the Date field of the Release file."""
    release: Digest
    """Blob of the InRelease file, signature included."""
    indexes: Mapping[str, Digest]
    """Component to the blob of its uncompressed Packages file."""


@dataclass(frozen=True)
class LockedPackage:
    name: str
    version: str
    architecture: str
    archive: str
    path: str
    """Below the archive's root: ``pool/main/b/bash/bash_5.2.37-2+b7_amd64.deb``."""
    size: int
    """Bytes."""
    sha256: Digest
    automatic: bool = False
    """Installed because something depends on it, not because it was asked for (apt-mark(8))."""


@dataclass(frozen=True)
class Ids:
    """System uids and gids by name. Append-only: an id once given is never changed or given again."""

    users: Mapping[str, int] = field(default_factory=lambda: {})
    groups: Mapping[str, int] = field(default_factory=lambda: {})


@dataclass(frozen=True)
class PackageSet:
    """A request and what the distribution's own package manager made of it."""

    distribution: Distribution
    request: Packages
    sources: tuple[LockedSource, ...]
    packages: tuple[LockedPackage, ...]
    """Sorted by name and architecture."""
    resolver: str
    """Program and version that chose the packages: ``apt 3.0.3``."""
    ids: Ids = field(default_factory=Ids)

    @property
    def epoch(self) -> int:
        """SOURCE_DATE_EPOCH of everything made from this set: the newest Release date in it."""
        return max((source.date for source in self.sources), default=0)

    @property
    def key(self) -> Digest:
        """The key of this set in a lock."""
        return request_key(self.distribution, self.request)

    @property
    def digest(self) -> Digest:
        """Names the request and its whole answer: a build step's input."""
        return digest_bytes(canonical_json(self))


@dataclass(frozen=True)
class Lock:
    version: int = VERSION
    sets: Mapping[str, PackageSet] = field(default_factory=lambda: {})
    """:func:`request_key` to the set."""
    accounts: Mapping[str, Ids] = field(default_factory=lambda: {})
    """System name to the ids of the accounts that it declares without an id. Append-only, as all ids are."""

    def find(self, distribution: Distribution, packages: Packages, *, system: str) -> PackageSet:
        """The set that answers this request of ``system``.

        Raises:
            HoldfastError: the lock is stale: it was made for another request.
        """
        found = self.sets.get(request_key(distribution, packages))
        if found is not None:
            return found
        raise HoldfastError(
            f"{FILE_NAME} does not cover the system {system!r}",
            details=self._explain_stale(distribution, packages),
            resolution="Run `holdfast lock`.",
        )

    def accounts_of(self, system: str, users: Iterable[str], groups: Iterable[str]) -> Ids:
        """The ids of ``system``, which declares these users and groups without an id.

        Raises:
            HoldfastError: the lock is stale: one of them is new.
        """
        known = self.accounts.get(system, Ids())
        new = sorted({*(set(users) - known.users.keys()), *(set(groups) - known.groups.keys())})
        if not new:
            return known
        raise HoldfastError(
            f"{FILE_NAME} has no ids for accounts of the system {system!r}: {', '.join(new)}",
            details="An id that is not locked would depend on what else is declared, and files would change their owners.",
            resolution="Run `holdfast lock`, which gives them ids and moves nothing else.",
        )

    def with_accounts(self, system: str, ids: Ids) -> Lock:
        if ids == self.accounts.get(system, Ids()):
            return self
        return replace(self, accounts={**self.accounts, system: ids})

    def with_set(self, package_set: PackageSet) -> Lock:
        return replace(self, version=VERSION, sets={**self.sets, package_set.key: package_set})

    def nearest(self, distribution: Distribution, packages: Packages) -> PackageSet | None:
        """The set of the same release whose request shares most with this one: what a new set starts from."""
        same = [
            candidate
            for candidate in self.sets.values()
            if _release(candidate.distribution) == _release(distribution)
        ]
        wanted = set(packages.install)
        return max(
            same,
            key=lambda candidate: (
                -len(wanted ^ set(candidate.request.install)),
                candidate.epoch,
                candidate.key,
            ),
            default=None,
        )

    def _explain_stale(self, distribution: Distribution, packages: Packages) -> str:
        nearest = self.nearest(distribution, packages)
        if nearest is None:
            return f"Nothing is locked for {distribution.family} {distribution.release} ({distribution.architecture})."
        wanted, locked = set(packages.install), set(nearest.request.install)
        lines = [
            f"{title}: {', '.join(sorted(names))}"
            for title, names in (
                ("Wanted now, not when it was locked", wanted - locked),
                ("Wanted when it was locked, not now", locked - wanted),
            )
            if names
        ]
        return "\n".join(lines) or "The sources or package options changed since it was locked."


@dataclass(frozen=True)
class Change:
    """One line of the difference between two locked package sets."""

    kind: Literal["added", "removed", "upgraded", "downgraded", "rebuilt"]
    name: str
    before: str | None
    """Version; None when added."""
    after: str | None
    """Version; None when removed."""


def normalise(packages: Packages) -> Packages:
    """The same request with its sets in order, so that the order of definitions does not make a lock stale."""
    return replace(
        packages,
        install=_ordered(packages.install),
        remove=_ordered(packages.remove),
        hold=_ordered(packages.hold),
    )


def request_key(distribution: Distribution, packages: Packages) -> Digest:
    """Digest of what was asked for."""
    return digest_bytes(
        b"[" + canonical_json(distribution) + b"," + canonical_json(normalise(packages)) + b"]"
    )


def read_lock(path: Path) -> Lock:
    """Read and check a lock file; an absent one is an empty lock.

    Raises:
        HoldfastError: it is corrupted (says the field), of a newer version, or cannot be read.
    """
    try:
        with explain_os_errors("read the lock"):
            text = path.read_bytes()
    except HoldfastError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return Lock()
        raise
    return parse_lock(text, what=str(path))


def parse_lock(text: bytes, *, what: str = FILE_NAME) -> Lock:
    """:func:`read_lock` of bytes; ``what`` names the file in errors."""
    try:
        document: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HoldfastError(
            f"{what} is corrupted: it is not valid JSON", details=str(error), resolution=_MAKE_ANEW
        ) from None
    version = _version_of(document)
    if isinstance(version, int) and version > VERSION:
        raise HoldfastError(
            f"{what} has version {version}; this holdfast reads up to {VERSION}",
            resolution="Upgrade holdfast on this machine.",
        )
    try:
        lock = decode(Lock, document, what="lock")
        for key, package_set in lock.sets.items():
            _check_set(key, package_set)
    except DecodeError as error:
        raise HoldfastError(f"{what} is corrupted: {error.brief}", resolution=_MAKE_ANEW) from None
    return lock


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the lock file in one step.

    Raises:
        HoldfastError: it cannot be written; the old one is then still there.
    """
    with explain_os_errors("write the lock"):
        write_atomically(path, pretty_json(lock))


def diff(before: PackageSet, after: PackageSet, *, older: Callable[[str, str], bool]) -> tuple[Change, ...]:
    """What changed, by name. ``older(a, b)`` says whether the distribution takes version a for older than b."""
    old = {(package.name, package.architecture): package for package in before.packages}
    new = {(package.name, package.architecture): package for package in after.packages}
    for key in [key for key in new if key not in old]:
        # A package may move between "all" and the machine's architecture; that is no removal.
        other = next(
            (candidate for candidate in old if candidate[0] == key[0] and candidate not in new), None
        )
        if other is not None:
            old[key] = old.pop(other)
    changes: list[Change] = []
    for key in sorted(old.keys() | new.keys()):
        was, now = old.get(key), new.get(key)
        if was is None and now is not None:
            changes.append(Change("added", key[0], None, now.version))
        elif now is None and was is not None:
            changes.append(Change("removed", key[0], was.version, None))
        elif was is not None and now is not None and was.version != now.version:
            up = older(was.version, now.version)
            changes.append(Change("upgraded" if up else "downgraded", key[0], was.version, now.version))
        elif was is not None and now is not None and was.sha256 != now.sha256:
            changes.append(Change("rebuilt", key[0], was.version, now.version))
    return tuple(changes)


def _check_set(key: str, package_set: PackageSet) -> None:
    where = f"lock.sets.{key[:19]}..."
    if key != package_set.key:
        raise DecodeError(f"{where} is not the digest of its request")
    for source in package_set.sources:
        _check_digests(f"{where} source {source.suite}", [source.release, *source.indexes.values()])
    for package in package_set.packages:
        _check_digests(f"{where} package {package.name}: sha256", [package.sha256])
        pool_path = PurePosixPath(package.path)
        if pool_path.is_absolute() or ".." in pool_path.parts or package.size < 0:
            raise DecodeError(f"{where} package {package.name} has an impossible path or size")


def _check_digests(where: str, digests: Iterable[str]) -> None:
    for digest in digests:
        if not digest.startswith("sha256:"):
            raise DecodeError(f"{where}: {digest!r} is not a SHA-256 digest")
        try:
            parse_digest(digest)
        except HoldfastError as error:
            raise DecodeError(f"{where}: {error.brief}") from None


def _version_of(document: object) -> object:
    return cast("dict[object, object]", document).get("version") if isinstance(document, dict) else None


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _release(distribution: Distribution) -> tuple[str, str, str]:
    return distribution.family, distribution.release, distribution.architecture
