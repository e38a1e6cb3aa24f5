"""A run that ends anywhere leaves, after the next command, the old machine or the new one, and nothing in between."""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Union

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.base.errors import HoldfastError
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.failures import BusyError, StuckError, TakenBackError
from holdfast.host.journal import Journal
from holdfast.host.live import Live, open_live
from holdfast.host.state import State
from holdfast.manifest.model import Directory, Entry, Link, Manifest, TextFile, User
from tests.host.crashing import HOME, in_a_child, killed, seen, switch
from tests.host.roots import Seen, a_manifest, blobs_of, make_root, snapshot

FIRST: dict[str, Entry] = {
    "/etc/motd": TextFile("ours\n"),
    "/etc/link": Link("motd"),
    "/srv/x": TextFile("a file that becomes a directory"),
    "/srv/z/y": TextFile("in a directory that becomes a file"),
    "/srv/gone/deep": TextFile("goes with its directory"),
    "/opt": Directory("0711"),
}
SECOND: dict[str, Entry] = {
    "/etc/motd": TextFile("ours, changed\n", mode="0640"),
    "/etc/link": TextFile("no link any more"),
    "/srv/x/y": TextFile("in a directory that was a file"),
    "/srv/z": TextFile("a file that was a directory"),
    "/srv/new/deep/er": TextFile("new"),
    "/opt": Directory("0755"),
}


def _second(live: Live) -> object:
    return operations.switch(live, Wanted(a_manifest(files=SECOND, users={"ann": User()})))


def _recover(live: Live) -> object:
    return operations.recover(live)


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A directory in memory where there is one: on a disk that others use, every sync waits for them."""
    with _scratch() as directory:
        yield Path(directory)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(
        prefix="holdfast-test-", dir=memory if os.access(memory, os.W_OK) else None
    )


@pytest.fixture
def machine(scratch: Path) -> Path:
    root = make_root(scratch / "root", {"etc/motd": "original\n"})
    switch(root, a_manifest(files=FIRST))
    return root


def _copy(root: Path, to: Path) -> Path:
    shutil.copytree(root, to, symlinks=True)
    return to


@pytest.mark.parametrize("stride", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_a_crash_anywhere_leaves_old_or_new(machine: Path, scratch: Path, stride: int) -> None:
    old = seen(machine)
    new_root = _copy(machine, scratch / "new")
    with open_live(new_root, blobs=blobs_of()) as live:
        _second(live)
    new = seen(new_root)
    outcomes: list[str] = []
    for point in range(0, 1000, stride):
        root = _copy(machine, scratch / f"at{point}")
        if not in_a_child(root, _second, crash_at=point):
            break
        # The recovery crashes, too, here and there, and is then done again.
        in_a_child(root, _recover, crash_at=point % 7)
        with open_live(root, blobs=blobs_of()) as live:
            operations.recover(live)
        after = seen(root)
        assert after in (old, new), f"after a crash at checkpoint {point}"
        assert not (root / HOME / "journal").exists()
        outcomes.append("old" if after == old else "new")
        shutil.rmtree(root)
    assert len(outcomes) > 30 // stride
    assert "new" in outcomes or stride > 1
    assert outcomes == sorted(outcomes, reverse=True), "once committed, it stays"


def test_the_next_switch_recovers_and_says_so(machine: Path) -> None:
    assert in_a_child(machine, _second, crash_at=8)
    with open_live(machine, blobs=blobs_of()) as live:
        assert operations.status(live).interrupted == "switch to generation 2"
        assert "did not end" in operations.plan(live, Wanted(a_manifest())).warnings[0]
        result = operations.switch(live, Wanted(a_manifest(files=SECOND)))
        assert result.recovered == operations.Recovered("undone", 1, "switch to generation 2")
        assert result.change.generation == 2
        assert not operations.status(live).interrupted
        assert operations.recover(live) is None


def test_what_comes_back_is_the_very_file(machine: Path) -> None:
    motd = machine / "etc/motd"
    os.utime(motd, (1, 1))
    before = motd.stat()
    assert in_a_child(machine, _second, crash_at=30)
    assert motd.stat().st_ino != before.st_ino
    with open_live(machine, blobs=blobs_of()) as live:
        operations.recover(live)
    after = motd.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_failure_takes_everything_back(machine: Path) -> None:
    old = seen(machine)
    (machine / "srv/new").mkdir()  # noticed only when it is to be made
    with open_live(machine, blobs=blobs_of()) as live:
        change = operations.plan(live, Wanted(a_manifest(files=SECOND)))
        assert change.steps
        (machine / "srv/new").rmdir()

        def checkpoint(where: str) -> None:
            if where == "staged":
                (machine / "srv/new").mkdir()

        live.checkpoint = checkpoint
        with pytest.raises(TakenBackError, match="File exists") as caught:
            _second(live)
        assert "was taken back; everything is as it was before" in caught.value.details
    assert seen(machine) == old


def test_an_interrupted_person_gets_the_old_machine(machine: Path) -> None:
    old = seen(machine)
    with open_live(machine, blobs=blobs_of()) as live:

        def checkpoint(where: str) -> None:
            if where == "0-3":
                raise KeyboardInterrupt

        live.checkpoint = checkpoint
        with pytest.raises(KeyboardInterrupt):
            _second(live)
    assert seen(machine) == old


def test_what_others_changed_meanwhile_is_not_overwritten(machine: Path) -> None:
    with open_live(machine, blobs=blobs_of()) as live:

        def checkpoint(where: str) -> None:
            if where == "journal":
                (machine / "etc/motd").write_text("by hand")
            if where == "staged":
                (machine / "etc/passwd").open("a").write("eve:x:5000:5000::/:/bin/bash\n")

        live.checkpoint = checkpoint
        with pytest.raises(TakenBackError, match="/etc/motd was changed by something else"):
            _second(live)
        assert (machine / "etc/motd").read_text() == "by hand"
        with pytest.raises(TakenBackError, match="/etc/passwd was changed by something else"):
            _second(live)
        assert "eve" in (machine / "etc/passwd").read_text()
        assert "ann" not in (machine / "etc/passwd").read_text()


def test_lines_of_others_stay_when_ours_are_taken_back(machine: Path) -> None:
    passwd = machine / "etc/passwd"
    before = passwd.read_text()
    eve = "eve:x:5000:5000::/:/bin/bash\n"
    with open_live(machine, blobs=blobs_of()) as live:

        def checkpoint(where: str) -> None:
            if where == "end 0":
                assert "ann:" in passwd.read_text()
                other = machine / "etc/passwd.new"  # as useradd(8) does it
                other.write_text(passwd.read_text() + eve)
                other.rename(passwd)
                raise KeyboardInterrupt

        live.checkpoint = checkpoint
        with pytest.raises(KeyboardInterrupt):
            _second(live)
    assert passwd.read_text() == before + eve


def test_a_damaged_journal_is_an_error_that_names_it(machine: Path) -> None:
    assert in_a_child(machine, _second, crash_at=20)
    journal = machine / HOME / "journal/plan.json"
    good = journal.read_bytes()
    before = snapshot(machine)
    journal.write_bytes(good[:-10])
    with open_live(machine, blobs=blobs_of()) as live:
        with pytest.raises(HoldfastError, match=r"damaged: .*journal/plan\.json"):
            _second(live)
        journal.write_bytes(good)
        (machine / HOME / "journal/progress").write_bytes(b"0\nsomething\n")
        with pytest.raises(HoldfastError, match=r"damaged: .*journal/progress"):
            _second(live)
    (machine / HOME / "journal/progress").write_bytes(b"0\n")
    assert before.keys() == snapshot(machine).keys()


def test_after_a_power_loss_everything_may_have_begun(machine: Path) -> None:
    old = seen(machine)
    assert in_a_child(machine, _second, crash_at=30)
    plan = machine / HOME / "journal/plan.json"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    plan.write_text(plan.read_text().replace(boot, "another"))
    (machine / HOME / "journal/progress").write_bytes(b"\0\0\n")
    with open_live(machine, blobs=blobs_of()) as live:
        operations.recover(live)
    assert seen(machine) == old


def test_what_cannot_be_put_back_is_named_and_tried_again(machine: Path) -> None:
    old = seen(machine)
    assert in_a_child(machine, _second, crash_at=30)
    held = next(
        path
        for path in (machine / HOME / "journal/contents").iterdir()
        if not path.is_symlink() and path.read_text() == "ours\n"
    )
    away = machine / "away"
    held.rename(away)
    with open_live(machine, blobs=blobs_of()) as live:
        with pytest.raises(StuckError) as caught:
            operations.recover(live)
        assert "/etc/motd" in caught.value.details
        away.rename(held)
        operations.recover(live)
    assert seen(machine) == old


def test_one_at_a_time(machine: Path) -> None:
    with open_live(machine, blobs=blobs_of()) as live:

        def checkpoint(where: str) -> None:
            if where == "staged":
                with (
                    open_live(machine, blobs=blobs_of()) as other,
                    pytest.raises(BusyError, match="locked by process"),
                ):
                    operations.switch(other, Wanted(a_manifest()))

        live.checkpoint = checkpoint
        _second(live)


def test_damage_in_the_store_is_noticed_before_anything_changes(machine: Path) -> None:
    from holdfast.base.digests import digest_bytes
    from holdfast.manifest.model import BlobFile

    old = seen(machine)
    with open_live(machine, blobs=lambda _: (machine / "etc/group").open("rb")) as live:
        manifest = a_manifest(files={**SECOND, "/zz": BlobFile(digest_bytes(b"good"))})
        with pytest.raises(TakenBackError, match="damaged"):
            operations.switch(live, Wanted(manifest))
    assert seen(machine) == old


def test_a_full_disk_is_noticed_before_anything_is_written(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = seen(machine)
    monkeypatch.setattr("holdfast.host.space._SPARE", 1 << 60)
    with open_live(machine, blobs=blobs_of()) as live, pytest.raises(HoldfastError, match="not enough room"):
        _second(live)
    assert seen(machine) == old


_names = st.sampled_from(["a", "b", "c d"])
_paths = st.lists(_names, min_size=1, max_size=3).map(lambda names: "/srv/" + "/".join(names))
_modes = st.sampled_from(["0644", "0600", "4755", "1777"])
_entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(TextFile, text=st.sampled_from(["", "x", "y"]), mode=_modes),
    st.builds(Link, target=st.sampled_from(["x", "/nowhere"])),
    st.builds(Directory, mode=_modes),
)
_systems = st.dictionaries(_paths, _entries, max_size=5)


def _crash_anywhere(first: dict[str, Entry], second: dict[str, Entry], points: list[int]) -> None:
    with _scratch() as scratch:
        root = make_root(Path(scratch) / "root", {"srv/a/theirs": "x", "srv/b": "y"})
        try:
            switch(root, a_manifest(files=first))
        except HoldfastError:
            pass
        old = seen(root)
        wanted = Wanted(a_manifest(files=second))
        new_root = _copy(root, Path(scratch) / "new")
        try:
            switch(new_root, wanted.manifest)
        except HoldfastError:
            return
        new = seen(new_root)
        in_a_child(root, partial(_switch_to, wanted), crash_at=points[0])
        in_a_child(root, _recover, crash_at=points[1])
        with open_live(root, blobs=blobs_of()) as live:
            operations.recover(live)
        assert _comparable(seen(root)) in (_comparable(old), _comparable(new))


Machine = tuple[dict[str, Seen], Union[State, None]]


def _comparable(what: Machine) -> Machine:
    everything, state = what
    return {path: one for path, one in everything.items() if not path.startswith(f"/{HOME}")}, state


_points = st.lists(st.integers(0, 40), min_size=2, max_size=2)
_bounded = settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_a_crash_anywhere_in_any_change() -> None:
    _bounded(given(first=_systems, second=_systems, points=_points)(_crash_anywhere))()


@pytest.mark.slow
def test_a_crash_anywhere_in_very_many_changes() -> None:
    settings(_bounded, max_examples=100)(
        given(first=_systems, second=_systems, points=_points)(_crash_anywhere)
    )()


def _large(tag: str, count: int) -> Manifest:
    files: dict[str, Entry] = {
        f"/etc/d{index % 20}/f{index}": TextFile(f"{tag} {index}\n") for index in range(count)
    }
    return a_manifest(files={**files, f"/srv/{tag}/only": TextFile(tag)})


def _kill_at_random(root: Path, *, kills: int, count: int, seed: int) -> None:
    chance = random.Random(seed)
    known: dict[str, Machine] = {}
    longest = 0.0
    for tag in ("one", "two", "one"):
        started = time.monotonic()
        switch(root, _large(tag, count))
        longest = max(longest, time.monotonic() - started)
        known[tag] = _comparable(seen(root))
    now, in_time = "one", 0
    while in_time < kills:
        other = "two" if now == "one" else "one"
        work = partial(_switch_to, Wanted(_large(other, count)))
        in_time += killed(root, work, lambda: time.sleep(chance.uniform(0, longest)))
        with open_live(root, blobs=blobs_of()) as live:
            operations.recover(live)
        tree, _ = _comparable(seen(root))
        assert tree in (known[now][0], known[other][0])
        now = now if tree == known[now][0] else other


def _switch_to(wanted: Wanted, live: Live) -> object:
    return operations.switch(live, wanted)


def test_kill_at_random_moments(scratch: Path) -> None:
    _kill_at_random(make_root(scratch / "root"), kills=2, count=40, seed=1)


@pytest.mark.slow
def test_kill_at_many_random_moments(scratch: Path) -> None:
    """Two hundred moments of larger changes are in tests/host/crash, on a machine that runs."""
    _kill_at_random(make_root(scratch / "root"), kills=30, count=100, seed=2)


def test_the_journal_says_nothing_when_nothing_is_open(tmp_path: Path) -> None:
    assert Journal(tmp_path).read() is None
