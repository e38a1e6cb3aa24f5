"""Whatever a plan does, doing it and taking it back leaves the machine that there was: files, units' files, accounts, what is recorded."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.base.errors import HoldfastError
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.live import open_live
from holdfast.manifest.model import Directory, Entry, Group, Link, Manifest, TextFile, Unit, User
from tests.host.crashing import seen, switch
from tests.host.roots import a_manifest, blobs_of, make_root

_names = st.sampled_from(["a", "b", "c d"])
_paths = st.lists(_names, min_size=1, max_size=3).map(lambda names: "/srv/" + "/".join(names))
_modes = st.sampled_from(["0644", "0600", "4755", "1777"])
_entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(TextFile, text=st.sampled_from(["", "x", "y"]), mode=_modes),
    st.builds(Link, target=st.sampled_from(["x", "/nowhere"])),
    st.builds(Directory, mode=_modes),
)
_units = st.builds(
    Unit,
    text=st.sampled_from(["[Service]\nExecStart=/bin/true\n", "[Service]\nExecStart=/bin/false\n"]),
    dropins=st.dictionaries(st.just("10-x.conf"), st.just("[Service]\nNice=1\n")),
    wanted_by=st.sampled_from([(), ("multi-user.target",)]),
    aliases=st.sampled_from([(), ("other.service",)]),
)
_users = st.builds(
    User,
    comment=st.sampled_from(["", "Ann"]),
    groups=st.sampled_from([(), ("sudo",)]),
    create_home=st.booleans(),
    hashed_password=st.sampled_from([None, "!x"]),
    authorized_keys=st.sampled_from([(), ("ssh-ed25519 AAAA",)]),
)
_manifests: st.SearchStrategy[Manifest] = st.builds(
    a_manifest,
    hostname=st.sampled_from(["box", "crate"]),
    files=st.dictionaries(_paths, _entries, max_size=4),
    units=st.dictionaries(st.sampled_from(["one.service", "theirs.service"]), _units),
    users=st.dictionaries(st.sampled_from(["ann", "bob"]), _users),
    groups=st.dictionaries(st.sampled_from(["crew", "daemon"]), st.builds(Group)),
)
_BEFORE = {
    "srv/a/theirs": "x",
    "srv/b": "y",
    "etc/systemd/system/theirs.service": "[Service]\nExecStart=/bin/sleep 1\n",
}


class _Stop(BaseException):
    """Ends a run."""


def _there_and_back(first: Manifest, second: Manifest | None) -> None:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="holdfast-test-", dir=memory if os.access(memory, os.W_OK) else None
    ) as scratch:
        root = make_root(Path(scratch) / "root", _BEFORE)
        try:
            switch(root, first)
        except HoldfastError:
            pass  # what cannot be made leaves a machine without a generation, which is as good a start
        old = seen(root)
        with open_live(root, blobs=blobs_of()) as live:
            try:
                change = (
                    operations.plan_deactivate(live)
                    if second is None
                    else operations.plan(live, Wanted(second))
                )
            except HoldfastError:
                return
            if change.empty:
                return

            def checkpoint(where: str) -> None:
                if where == f"end {len(change.steps) - 2}":  # all but the commit
                    raise _Stop

            live.checkpoint = checkpoint
            if len(change.steps) > 1:
                with pytest.raises(_Stop):
                    operations.deactivate(live) if second is None else operations.switch(live, Wanted(second))
        assert seen(root) == old


_bounded = settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))


def test_doing_and_taking_back_is_nothing() -> None:
    _bounded(given(first=_manifests, second=st.none() | _manifests)(_there_and_back))()


@pytest.mark.slow
def test_doing_and_taking_back_is_nothing_many_times() -> None:
    settings(_bounded, max_examples=250)(
        given(first=_manifests, second=st.none() | _manifests)(_there_and_back)
    )()
