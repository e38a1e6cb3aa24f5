"""Ids for the accounts that a system declares: settled once, on the packages it will have, and kept in the lock.

Without that an account's id would depend on which other accounts are declared, and the owner of files on a machine would change
under it.
"""

from __future__ import annotations

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.distro.family import family
from holdfast.distro.lockfile import Ids as LockedIds
from holdfast.distro.lockfile import PackageSet
from holdfast.host.accounts.declared import settle
from holdfast.host.accounts.ids import Ids
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.planning.basics import read_basics
from holdfast.manifest.model import Manifest
from holdfast.store import Store


def unpinned_accounts(manifest: Manifest) -> tuple[frozenset[str], frozenset[str]]:
    """Users and groups whose ids the definition leaves open, private groups of users included."""
    users = frozenset(name for name, user in manifest.users.items() if user.uid is None)
    private = {name for name, user in manifest.users.items() if user.group is None}
    return users, frozenset(
        {name for name, group in manifest.groups.items() if group.gid is None} | private
    ) - {name for name, group in manifest.groups.items() if group.gid is not None}


def pin_accounts(store: Store, manifest: Manifest, package_set: PackageSet, known: LockedIds) -> LockedIds:
    """``known`` and an id for every account that ``manifest`` leaves open; nothing in ``known`` changes.

    Raises:
        HoldfastError: the accounts cannot be made as they are defined; or the packages cannot be had or configured.
    """
    users, groups = unpinned_accounts(manifest)
    if users <= known.users.keys() and groups <= known.groups.keys():
        return known
    tree = family(manifest.distribution).bootstrap(store, package_set).tree
    with explain_os_errors("read the accounts of the packages"), RootDirectory(tree) as root:
        basics = read_basics(root, manifest, None)
    settled = settle(
        basics.accounts,
        manifest.users,
        manifest.groups,
        ids=known_ids(package_set, known),
        ranges=basics.ranges,
        day=0,
        state=None,
    )
    if settled.problems:
        raise HoldfastError(
            f"the accounts of the system {manifest.name!r} cannot be made as they are defined",
            details="\n".join(f"- {problem}" for problem in settled.problems),
            resolution="Correct the definition, then run the command again.",
        )
    uids, gids = settled.accounts.uids(), settled.accounts.gids()
    return LockedIds(
        {**known.users, **{name: uids[name] for name in sorted(users - known.users.keys())}},
        {**known.groups, **{name: gids[name] for name in sorted(groups - known.groups.keys())}},
    )


def known_ids(package_set: PackageSet, accounts: LockedIds) -> Ids:
    """Every id that the lock gives: those of the packages' accounts and those of the declared ones."""
    return Ids(
        {**package_set.ids.users, **accounts.users},
        {**package_set.ids.groups, **accounts.groups},
    )
