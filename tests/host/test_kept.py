"""Kept content lasts for as long as something refers to it, whatever happens on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes, hex_of
from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.kept import prune_kept
from holdfast.host.live import open_live
from holdfast.manifest.model import TextFile
from tests.host.crashing import HOME, in_a_child, switch
from tests.host.roots import a_manifest, blobs_of, make_root

pytestmark = pytest.mark.slow  # it ends runs at many points


def _name(text: str) -> str:
    return hex_of(digest_bytes(text.encode()))


def _kept(root: Path) -> set[str]:
    return {path.name for path in (root / HOME / "kept").iterdir()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_root(tmp_path / "root", {"etc/motd": "original\n", "etc/issue": "issue\n"})


BOTH = a_manifest(files={"/etc/motd": TextFile("ours\n"), "/etc/issue": TextFile("ours\n")})
ONE = a_manifest(files={"/etc/motd": TextFile("ours\n")})


def test_what_was_given_back_is_not_kept(root: Path) -> None:
    switch(root, BOTH)
    assert _kept(root) >= {_name("original\n"), _name("issue\n")}
    switch(root, ONE)
    assert (root / "etc/issue").read_text() == "issue\n"
    assert _name("original\n") in _kept(root) and _name("issue\n") not in _kept(root)
    with open_live(root, blobs=blobs_of()) as live:
        (root / "etc/motd").write_text("by hand\n")
        operations.adopt(live)
        assert _kept(root) >= {_name("by hand\n"), _name("original\n")}
        operations.rollback(live, 1)
        operations.deactivate(live)
    assert (root / "etc/motd").read_text() == "original\n" and (root / "etc/issue").read_text() == "issue\n"
    assert _kept(root) == set()


def test_whoever_refers_to_it_keeps_it(root: Path) -> None:
    switch(root, BOTH)
    home = root / HOME
    needed = _kept(root)
    for index, place in enumerate(
        ("generations/1/wanted.json", "journal/plan.json", "packages/transaction.json")
    ):
        name = _name(place)
        (home / "kept" / name).write_text("x")
        (home / "kept" / f"{index:064x}").write_text("nobody's")
        path = home / place
        path.parent.mkdir(exist_ok=True)
        before = path.read_bytes() if path.exists() else None
        path.write_text(f'{{"digest":"sha256:{name}"}}')
        assert prune_kept(home) == (f"{index:064x}",)
        assert _kept(root) == {*needed, name}
        path.unlink() if before is None else path.write_bytes(before)
        assert prune_kept(home) == (name,)
    (home / "kept/README").write_text("not ours to judge")
    assert prune_kept(home) == ()


def test_generations_that_go_take_theirs_along(root: Path) -> None:
    switch(root, ONE)
    switch(root, BOTH)
    name = _name("of generation 1")
    (root / HOME / "kept" / name).write_text("x")
    path = root / HOME / "generations/1/wanted.json"
    path.write_text(f'{{"artifact":"sha256:{name}"}}')
    with open_live(root, blobs=blobs_of()) as live:
        operations.switch(live, Wanted(BOTH))
        assert name in _kept(root)
        operations.delete_generation(live, 1)
    assert name not in _kept(root)


def test_a_crash_after_the_commit_leaves_nothing_for_ever(root: Path) -> None:
    switch(root, BOTH)
    crash = 0
    while in_a_child(root, lambda live: operations.switch(live, Wanted(ONE)), crash_at=crash):
        crash += 9
        with open_live(root, blobs=blobs_of()) as live:
            operations.switch(live, Wanted(ONE))
            assert _name("issue\n") not in _kept(root)
            operations.switch(live, Wanted(BOTH))
            assert _name("issue\n") in _kept(root)
            assert (root / "etc/issue").read_text() == "ours\n"
    assert crash > 10
