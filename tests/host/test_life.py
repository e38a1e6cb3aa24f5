"""Whole lives of machines: whatever is switched, edited by hand, rolled back and repaired, giving back gives back everything."""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from holdfast.base.errors import HoldfastError
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.live import open_live
from holdfast.manifest.model import Directory, Entry, Link, TextFile, User
from tests.host.crashing import in_a_child
from tests.host.roots import Seen, a_manifest, blobs_of, make_root, snapshot

OURS = ("/var/lib/holdfast",)
_PATHS = ("/etc/motd", "/srv/a", "/srv/a/b", "/srv/theirs", "/opt/x/y")
_entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(TextFile, text=st.sampled_from(["one\n", "two\n"]), mode=st.sampled_from(["0644", "0600"])),
    st.builds(Link, target=st.sampled_from(["theirs", "/nowhere"])),
    st.builds(Directory, mode=st.sampled_from(["0755", "0700"])),
)
_files = st.dictionaries(st.sampled_from(_PATHS), _entries, max_size=4)


class Life(RuleBasedStateMachine):
    """One machine. Manual edits are to files of ours alone: what else people do is theirs, and stays."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        scratch = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-test-", dir=memory))
        self.root = Path(scratch) / "root"
        self.pristine: dict[str, Seen] = {}
        self.edits = 0

    def teardown(self) -> None:
        self.stack.close()

    @initialize()
    def begin(self) -> None:
        make_root(
            self.root,
            {"etc/motd": "original\n", "srv/theirs": "precious", "etc/hosts": "127.0.0.1 localhost"},
        )
        self.pristine = snapshot(self.root)
        self.live = self.stack.enter_context(open_live(self.root, blobs=blobs_of()))

    @rule(files=_files, person=st.booleans(), crash=st.none() | st.integers(0, 25))
    def switch(self, files: dict[str, Entry], person: bool, crash: int | None) -> None:
        wanted = Wanted(a_manifest(files=files, users={"ann": User(comment="Ann")} if person else {}))
        try:
            if crash is not None:
                operations.plan(self.live, wanted)
                in_a_child(self.root, lambda live: operations.switch(live, wanted), crash_at=crash)
                operations.recover(self.live)
            else:
                operations.switch(self.live, wanted)
                assert operations.plan(self.live, wanted).empty
        except HoldfastError as error:
            assert "cannot be made as it is defined" in str(error)

    @precondition(lambda self: operations.status(self.live).generation is not None)
    @rule(
        path=st.sampled_from(_PATHS),
        what=st.sampled_from(["edit", "remove", "mode"]),
        then=st.sampled_from(["", "adopt", "repair"]),
    )
    def drift(self, path: str, what: str, then: str) -> None:
        place = self.root / path.lstrip("/")
        managed = operations.status(self.live)
        state = managed.generation is not None and path in self._managed()
        if not state or not place.is_file() or place.is_symlink():
            return
        if what == "edit":
            self.edits += 1
            place.write_text(f"by hand, {self.edits}\n")
        elif what == "remove":
            place.unlink()
        else:
            place.chmod(0o640)
        assert [one.path for one in operations.status(self.live).drift] == [path]
        if then == "adopt":
            operations.adopt(self.live, [path])
        elif then == "repair":
            operations.repair(self.live, [path])
        assert bool(operations.status(self.live).drift) == (then == "")
        if not then:
            operations.repair(self.live)

    @precondition(lambda self: len(operations.generations(self.live)) > 1)
    @rule(data=st.data())
    def rollback(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from([one.number for one in operations.generations(self.live)]))
        try:
            operations.rollback(self.live, number)
        except HoldfastError as error:
            assert "cannot be made as it is defined" in str(error)
            return
        assert operations.status(self.live).generation == number

    @precondition(lambda self: operations.status(self.live).generation is not None)
    @rule()
    def deactivate(self) -> None:
        operations.deactivate(self.live)
        assert snapshot(self.root, without=OURS) == self.pristine

    @invariant()
    def nothing_is_left_behind(self) -> None:
        if self.pristine:
            assert not [path for path in snapshot(self.root) if "/.holdfast-" in path or "/journal" in path]

    def _managed(self) -> set[str]:
        from holdfast.host.planning.facts import read_recorded_state

        state = read_recorded_state(self.live.root)
        return set(state.paths) if state else set()


_bounded = settings(
    max_examples=2, stateful_step_count=6, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_deactivating_restores_the_pristine_tree() -> None:
    run_state_machine_as_test(Life, settings=_bounded)


@pytest.mark.slow
def test_deactivating_restores_the_pristine_tree_in_many_lives() -> None:
    run_state_machine_as_test(Life, settings=settings(_bounded, max_examples=25, stateful_step_count=20))
