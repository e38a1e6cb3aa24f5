"""Ids of declared accounts: given once, kept in the lock, the same whatever else is declared later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.build.accounts import pin_accounts, unpinned_accounts
from holdfast.distro.lockfile import Ids, Lock, PackageSet
from holdfast.manifest.model import SCHEMA_VERSION, Distribution, Group, Identity, Manifest, User
from holdfast.store import Store

ACCOUNTS = {
    "hello": User(system=True),
    "fixed": User(uid=1500),
    "member": User(group="users"),
    "pinned-group": User(),
}


def a_manifest(package_set: PackageSet | None = None, **users: User) -> Manifest:
    distribution = package_set.distribution if package_set else Distribution("debian", "trixie", "amd64")
    return Manifest(
        SCHEMA_VERSION,
        "web",
        distribution,
        Identity("web"),
        users={**ACCOUNTS, **users},
        groups={"pinned-group": Group(gid=4000), "staffers": Group()},
    )


def test_what_a_definition_leaves_open() -> None:
    users, groups = unpinned_accounts(a_manifest())
    assert users == {"hello", "member", "pinned-group"}
    assert groups == {"hello", "fixed", "staffers"}


def test_a_new_account_makes_the_lock_stale() -> None:
    lock = Lock().with_accounts("web", Ids({"hello": 999}, {"hello": 999}))
    assert lock.accounts_of("web", ["hello"], ["hello"]).users["hello"] == 999
    with pytest.raises(HoldfastError, match=r"no ids for accounts of the system 'web': alpha") as caught:
        lock.accounts_of("web", ["hello", "alpha"], ["hello", "alpha"])
    assert "holdfast lock" in caught.value.resolution
    assert lock.with_accounts("other", Ids()) is lock


@pytest.mark.system
@pytest.mark.network
@pytest.mark.slow
def test_ids_stay_when_accounts_come_and_go(
    shared_store: Store, package_set: Callable[..., PackageSet]
) -> None:
    packages = package_set("trixie")
    first = pin_accounts(shared_store, a_manifest(packages), packages, Ids())
    assert first.users.keys() == {"hello", "member", "pinned-group"}
    assert first.groups["fixed"] == 1500
    assert 100 <= first.users["hello"] < 1000 <= first.users["member"]

    more = a_manifest(packages, alpha=User(system=True), aaron=User())
    second = pin_accounts(shared_store, more, packages, first)
    assert {name: second.users[name] for name in first.users} == dict(first.users)
    assert len(set(second.users.values())) == len(second.users)

    fewer = replace(more, users={"alpha": User(system=True)}, groups={})
    assert pin_accounts(shared_store, fewer, packages, second) is second
    # Made anew, in another order, the ids would have been others: the lock is what keeps them.
    assert pin_accounts(shared_store, more, packages, Ids()).users["hello"] != first.users["hello"]


@pytest.mark.system
@pytest.mark.network
@pytest.mark.slow
def test_accounts_that_cannot_be_are_told(
    shared_store: Store, package_set: Callable[..., PackageSet]
) -> None:
    packages = package_set("trixie")
    with pytest.raises(HoldfastError) as caught:
        pin_accounts(shared_store, a_manifest(packages, lost=User(group="nogroups")), packages, Ids())
    assert "did you mean 'nogroup'" in caught.value.details
