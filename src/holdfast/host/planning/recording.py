"""The state that a change leaves (pure): what is recorded when all is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from holdfast.base.digests import digest_bytes
from holdfast.host.accounts.declared import Settled
from holdfast.host.files.nodes import Absent
from holdfast.host.files.rooted import Located
from holdfast.host.planning.wishes import Wishes
from holdfast.host.state import STATE_VERSION, Managed, State
from holdfast.manifest.document import manifest_digest
from holdfast.manifest.model import Manifest


def new_state(
    manifest: Manifest,
    generation: int,
    wishes: Wishes,
    old: State | None,
    paths: Mapping[str, Managed],
    parents: tuple[str, ...],
    *,
    building: bool,
) -> State:
    """The state once ``manifest`` is true."""
    settled = wishes.settled
    return State(
        version=STATE_VERSION,
        generation=generation,
        manifest=manifest_digest(manifest),
        paths=paths,
        parents=parents,
        users=settled.users,
        groups=settled.groups,
        memberships=settled.memberships,
        kept_groups=settled.kept_groups,
        hosts_line=wishes.hosts_line,
        holds=manifest.packages.hold,
        transaction=old.transaction if old else "",
        state_version=manifest.state_version,
        sysctl=old.sysctl if old else {},
        tasks=old.tasks if old else {},
        built=old.built if old else building,
    )


def with_homes(state: State, wishes: Wishes, located: Mapping[str, Located]) -> State:
    """Note where homes are made for accounts that were there before us."""
    users = dict(state.users)
    for name, record in state.users.items():
        home = wishes.settled.home(name)
        if not record.made and home in wishes.once and home not in wishes.nodes:
            place = located[home]
            if isinstance(place.node, Absent) and not place.blocked:
                users[name] = replace(record, home=place.real)
    return replace(state, users=users)


def remaining_state(settled: Settled, old: State | None) -> State:
    """What is not forgotten when everything is given back: ids are never used again, and numbers go on."""
    return State(
        version=STATE_VERSION,
        generation=old.generation if old else 0,
        manifest=old.manifest if old else digest_bytes(b""),
        users=settled.users,
        groups=settled.groups,
        memberships=settled.memberships,
        kept_groups=settled.kept_groups,
        active=False,
        transaction=old.transaction if old else "",
        state_version=old.state_version if old else 0,
        sysctl=old.sysctl if old else {},
        tasks=old.tasks if old else {},
        built=old.built if old else False,
    )
