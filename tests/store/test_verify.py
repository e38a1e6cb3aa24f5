from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from holdfast.store import ImageConfig, Store, open_store
from tests.examples import at_most
from tests.store.trees_at_hand import Node, make

OWN = (os.geteuid(), os.getegid())
NODES = [
    Node(b"etc/a", content=b"some content", owner=OWN),
    Node(b"etc/b", "hardlink", content=b"etc/a"),
    Node(b"link", "symlink", content=b"etc/a", owner=OWN),
    Node(b"noted", content=b"x", owner=OWN, xattrs={"user.note": b"y"}),
]


def filled(base: Path) -> Store:
    store = open_store(base / "store")
    layer = store.layers.from_tree(make(base / "tree", NODES), clamp_mtime=2**31)
    store.trees.ensure(layer.diff_id)
    made = store.put_image(ImageConfig("amd64", 0), [layer])
    store.refs.set("systems/web", made.manifest)
    store.cache.put("key", made.manifest)
    store.close()
    return store


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("pristine")
    report = filled(base).verify()
    assert report.ok and (report.blobs, report.tables, report.trees, report.refs) == (3, 1, 1, 2)
    return base / "store"


def regular_files(root: Path) -> list[Path]:
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())
    return [
        path
        for path in found
        if path.stat().st_size and path.parent.name not in ("locks",) and path.name != "lock"
    ]


@at_most(40, suppress=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_is_found(
    pristine: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(regular_files(pristine)))
    position = data.draw(st.integers(0, path.stat().st_size * 8 - 1))
    content = bytearray(path.read_bytes())
    whole, times, mode = bytes(content), path.stat(), path.stat().st_mode
    content[position // 8] ^= 1 << position % 8
    path.chmod(0o600)
    try:
        path.write_bytes(content)
        path.chmod(mode)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        report = open_store(pristine).verify()
        assert not report.ok, f"bit {position} of {path} went unnoticed"
        assert all(finding.problem and finding.resolution for finding in report.findings)
    finally:
        path.chmod(0o600)
        path.write_bytes(whole)
        path.chmod(mode)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert open_store(pristine).verify().ok


def test_the_finding_says_which_ref_is_hit_and_what_to_do(tmp_path: Path) -> None:
    store = filled(tmp_path)
    layer = store.artifact(store.resolve("systems/web")).layers[0].diff_id
    path = store.blobs.path(layer)
    path.chmod(0o600)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"some content", b"sOme content"))
    findings = store.verify().findings
    assert [(finding.kind, finding.name, finding.refs) for finding in findings] == [
        ("blob", layer[7:], ("cache/key", "systems/web"))
    ]
    assert str(path) in findings[0].resolution and "holdfast build" in findings[0].resolution


def test_a_missing_blob_is_told_for_each_ref(tmp_path: Path) -> None:
    store = filled(tmp_path)
    image = store.artifact(store.resolve("systems/web"))
    store.blobs.path(image.identity).unlink()
    findings = store.verify().findings
    assert [(finding.kind, finding.name) for finding in findings] == [
        ("ref", "cache/key"),
        ("ref", "systems/web"),
    ]
    assert all(image.identity in finding.problem for finding in findings)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "mode": (lambda tree: (tree / "etc/a").chmod(0o600), "etc/a has mode 0600, not 0644"),
    "time": (lambda tree: os.utime(tree / "etc/a", (1, 1)), "etc/a has another modification time"),
    "gone": (lambda tree: (tree / "link").unlink(), "link is missing"),
    "new": (lambda tree: (tree / "etc/new").write_bytes(b""), "etc/new is not in the layer"),
    "link": (lambda tree: _relink(tree / "link"), "link points elsewhere"),
    "attribute": (
        lambda tree: os.setxattr(tree / "noted", "user.note", b"z"),
        "noted has other extended attributes",
    ),
    "opaque": (
        lambda tree: os.setxattr(tree / "etc", "user.overlay.opaque", b"y"),
        "etc has other extended attributes",
    ),
    "unlinked": (lambda tree: _copy(tree / "etc/b"), "etc/b is not the same file as etc/a"),
    "kind": (lambda tree: _directory(tree / "noted"), "noted should be a file"),
}


def _relink(path: Path) -> None:
    status = path.lstat()
    path.unlink()
    path.symlink_to("etc/b")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _copy(path: Path) -> None:
    shutil.copy2(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_changed_tree_is_found(tmp_path: Path, kind: str) -> None:
    damage, message = DAMAGE[kind]
    store = filled(tmp_path)
    layer = store.artifact(store.resolve("systems/web")).layers[0].diff_id
    damage(store.trees.path(layer))
    (finding,) = store.verify().findings
    assert finding.kind == "tree" and message in finding.problem.splitlines()


@pytest.mark.system
def test_a_changed_owner_is_found(tmp_path: Path) -> None:
    store = filled(tmp_path)
    layer = store.artifact(store.resolve("systems/web")).layers[0].diff_id
    os.chown(store.trees.path(layer) / "noted", 7, 8)
    assert store.verify().findings[0].problem == "noted belongs to 7:8, not 0:0"


def test_verify_changes_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path)
    layer = store.artifact(store.resolve("systems/web")).layers[0].diff_id
    table = store.root / "tables" / layer[7:]
    table.unlink()
    assert store.verify().ok and not table.exists()
