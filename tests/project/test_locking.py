"""Which package sets a project needs. Resolving them is the distribution's business and tested there."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.distro.lockfile import Ids, Lock
from holdfast.manifest.model import SCHEMA_VERSION, Distribution, Identity, Manifest, Packages
from holdfast.project.keeping import system_ref
from holdfast.project.locking import ids_given, requests_of


def manifest(name: str, release: str, *install: str) -> Manifest:
    return Manifest(
        SCHEMA_VERSION,
        name,
        Distribution("debian", release, "amd64"),
        Identity(name),
        Packages(install=install),
    )


def test_systems_that_ask_for_the_same_share_a_set() -> None:
    requests = requests_of(
        [manifest("a", "trixie", "curl"), manifest("b", "sid", "curl"), manifest("c", "trixie", "curl")]
    )
    assert [request.systems for request in requests] == [("a", "c"), ("b",)]


def test_the_order_of_packages_makes_no_other_set() -> None:
    requests = requests_of([manifest("a", "trixie", "curl", "git"), manifest("b", "trixie", "git", "curl")])
    assert [request.systems for request in requests] == [("a", "b")]


def test_ids_given_are_those_that_were_not_there() -> None:
    old = Lock().with_accounts("web", Ids({"hello": 999}, {"hello": 999}))
    new = old.with_accounts("web", Ids({"hello": 999, "logs": 998}, {"hello": 999}))
    new = new.with_accounts("db", Ids({}, {"data": 997}))
    assert ids_given(old, new) == {"web": Ids({"logs": 998}), "db": Ids({}, {"data": 997})}
    assert ids_given(new, new) == {}


@pytest.mark.parametrize(
    ("file", "ref"),
    [
        ("/srv/fleet/systems.py", "systems/fleet/web"),
        ("/srv/my fleet!/systems.py", "systems/my-fleet/web"),
        ("/systems.py", "systems/root/web"),
        ("/srv/.hidden/systems.py", "systems/hidden/web"),
    ],
)
def test_names_in_the_store(file: str, ref: str) -> None:
    assert system_ref(Path(file), "web") == ref
