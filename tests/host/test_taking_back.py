"""Taking back more than once, from wherever the last attempt ended, never costs what somebody else put there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.host import operations, packages, secrets
from holdfast.host.change import Wanted
from holdfast.host.changing import changing
from holdfast.host.failures import TakenBackError
from holdfast.host.files import replacing
from holdfast.host.files.nodes import Secret
from holdfast.host.live import Live, open_live
from holdfast.host.packages.change import PackageChange, PackageResult
from holdfast.host.preparing import Request
from holdfast.host.steps import DecryptSecret, decrypt_step
from holdfast.manifest.model import SecretFile, TextFile
from tests.host.crashing import HOME, in_a_child
from tests.host.roots import a_manifest, blobs_of, make_root

WANTED = Wanted(a_manifest(files={"/srv/a": TextFile("ours\n"), "/srv/b": TextFile("ours\n")}))


def _crash_while_in_the_way(root: Path, crash_at: int) -> bool:
    """Switch in a child while somebody puts a file at /srv/b; it vanishes so many checkpoints later, if it gets that far."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with open_live(root, blobs=blobs_of()) as live:
                count = 0

                def checkpoint(where: str) -> None:
                    nonlocal count
                    if where == "staged":
                        (root / "srv/b").write_text("of somebody else\n")
                    if (root / "srv/b").exists():
                        count += 1
                    if count > crash_at:
                        os._exit(77)

                live.checkpoint = checkpoint
                operations.switch(live, WANTED)
        except TakenBackError:
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 77)
    return code == 77


@pytest.mark.parametrize("stride", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_a_crash_while_taking_back_spares_what_others_made(stride: int, tmp_path: Path) -> None:
    for point in range(0, 100, stride):
        root = make_root(tmp_path / f"root{point}")
        (root / "srv").mkdir()
        crashed = _crash_while_in_the_way(root, point)
        with open_live(root, blobs=blobs_of()) as live:
            operations.recover(live)
        assert (root / "srv/b").read_text() == "of somebody else\n", f"after a crash at checkpoint {point}"
        assert [path.name for path in (root / "srv").iterdir()] == ["b"]
        assert not list(root.rglob(".holdfast-*")) and not (root / HOME / "journal").exists()
        if not crashed:
            return
    raise AssertionError("it never ended")


def _lose_power(root: Path) -> None:
    """Nobody knows any more which lines of progress were written."""
    plan = root / HOME / "journal/plan.json"
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    plan.write_text(plan.read_text().replace(boot, "another"))


def test_where_renames_keep_no_order_everything_is_durable_before_the_commit_and_the_commit_is_undone_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_root(tmp_path / "root")
    seen: list[str] = []

    def note(_place: object) -> None:
        made, committed = (root / "srv/a").exists(), (root / HOME / "state.json").exists()
        seen.append("committed" if committed else "made" if made else "nothing")

    monkeypatch.setattr(replacing, "keeps_order", lambda _directory: False)
    monkeypatch.setattr(replacing, "sync_file_system", note)
    monkeypatch.setattr(replacing, "sync_directory", note)
    with open_live(root, blobs=blobs_of()) as live:

        def fail_at_the_end(where: str) -> None:
            if where.startswith("end") and (root / HOME / "state.json").exists():
                raise OSError(5, "no")

        live.checkpoint = fail_at_the_end
        with pytest.raises(TakenBackError):
            operations.switch(live, WANTED)
    assert seen == ["nothing", "made", "committed", "made", "nothing"]


def _with_secret(path: str) -> Wanted:
    return Wanted(a_manifest(files={path: SecretFile(digest_bytes(b"encrypted"), "age", ("/etc/key",))}))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    def decrypt(_step: DecryptSecret, _live: Live) -> bytes:
        return b"plain"

    monkeypatch.setattr(secrets, "_decrypt", decrypt)


@pytest.mark.usefixtures("plain")
def test_what_a_secret_replaces_survives_a_power_loss_before_it_was_held(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"etc/token": "of somebody else\n"})
    wanted = _with_secret("/etc/token")
    assert in_a_child(root, lambda live: operations.switch(live, wanted), crash_at=0)
    _lose_power(root)
    with open_live(root, blobs=blobs_of()) as live:
        operations.recover(live)
    assert (root / "etc/token").read_text() == "of somebody else\n"


@pytest.mark.usefixtures("plain")
def test_a_secret_is_durable_before_the_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_root(tmp_path / "root", {"data/x": ""})
    synced: set[int] = set()
    fsync = os.fsync

    def note(file: int) -> None:
        fsync(file)
        if not (root / HOME / "state.json").exists() and (root / "data/token").exists():
            synced.add(os.fstat(file).st_ino)

    monkeypatch.setattr(os, "fsync", note)
    with open_live(root, blobs=blobs_of(b"encrypted")) as live:
        operations.switch(live, _with_secret("/data/token"))
    assert (root / "data").stat().st_ino in synced


@pytest.mark.usefixtures("plain")
def test_a_secret_whose_directory_is_not_there_yet_is_taken_back(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    wanted = _with_secret("/srv/new/token")
    assert in_a_child(root, lambda live: operations.switch(live, wanted), crash_at=2)
    assert not (root / "srv").exists()
    _lose_power(root)
    with open_live(root, blobs=blobs_of()) as live:
        assert operations.recover(live)


@pytest.mark.usefixtures("plain")
def test_a_directory_in_the_way_of_a_secret_keeps_nothing_else(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    with open_live(root, blobs=blobs_of(b"encrypted")) as live:
        operations.switch(live, _with_secret("/etc/token"))
        (root / "etc/.holdfast-secret-token").mkdir()  # by whoever owns the directory
        secrets.undo(
            decrypt_step("/etc/token", Secret(digest_bytes(b"encrypted"), "age", (), "0400", 0, 0), "do"),
            live,
        )
    assert not (root / "etc/token").exists()


@pytest.mark.parametrize("stride", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_crash_after_a_switch_leaves_nothing_for_the_next_boot_that_would_take_it_away(
    stride: int, tmp_path: Path
) -> None:
    root = make_root(tmp_path / "root")
    for point in range(0, 100, stride):
        before = Wanted(a_manifest(files={"/x": TextFile(f"{point} before")}))
        after = Wanted(a_manifest(files={"/x": TextFile(f"{point} after")}))
        with open_live(root, blobs=blobs_of()) as live:
            pending = operations.boot(live, before).number
        crashed = in_a_child(root, lambda live, after=after: operations.switch(live, after), crash_at=point)  # type: ignore[misc]
        with open_live(root, blobs=blobs_of()) as live:
            operations.recover(live)
            done = (root / "x").exists() and (root / "x").read_text() == f"{point} after"
            assert operations.status(live).pending == (None if done else pending), point
        if not crashed:
            return
    raise AssertionError("it never ended")


@pytest.mark.parametrize(("where", "back"), [("closed", 0), ("staged", 1)])
def test_packages_are_not_taken_back_from_under_what_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, back: int
) -> None:
    """Somebody stops the change, at a moment when it is already made, and before."""
    undone: list[PackageChange] = []
    monkeypatch.setattr(packages, "apply", lambda *_: PackageResult())
    monkeypatch.setattr(packages, "undo", lambda change, _live: undone.append(change))

    def checkpoint(at: str) -> None:
        if at == where:
            raise KeyboardInterrupt

    with open_live(make_root(tmp_path / "root"), blobs=blobs_of()) as live:
        live.checkpoint = checkpoint
        wanted = Wanted(a_manifest(files={"/x": TextFile("x")}))
        request = Request("switch", wanted, transaction="abc")
        with changing(live, operations.DEFAULTS) as work, pytest.raises(KeyboardInterrupt):
            work._with_packages(request, PackageChange())
        assert len(undone) == back
        assert (operations.status(live).generation is None) == bool(back)


@pytest.mark.parametrize("stride", [13, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize("filled", [True, False])
def test_directories_of_ours_keep_the_mode_that_somebody_gave_them(
    filled: bool, stride: int, tmp_path: Path
) -> None:
    root = make_root(tmp_path / "root")
    with open_live(root, blobs=blobs_of()) as live:
        operations.switch(live, Wanted(a_manifest(files={"/srv/app/a": TextFile("ours\n")})))
    (root / "srv/app").chmod(0o2710)
    if filled:
        (root / "srv/app/secret").write_text("of somebody else\n")
    dropped = Wanted(a_manifest())
    for point in range(2, 100, stride):
        crashed = in_a_child(root, lambda live: operations.switch(live, dropped), crash_at=point)
        with open_live(root, blobs=blobs_of()) as live:
            operations.recover(live)
        if not (root / "srv/app/a").exists():
            break
        assert (root / "srv/app").stat().st_mode & 0o7777 == 0o2710, point
        assert crashed
    assert filled == (root / "srv/app").exists()
    assert not filled or (root / "srv/app").stat().st_mode & 0o7777 == 0o2710
