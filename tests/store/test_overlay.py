from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.store import Store
from holdfast.store.admission import Limits
from holdfast.store.overlay import OPAQUE_TRUSTED, overlay_form
from holdfast.store.table import Entry
from tests.store.trees_at_hand import CLAMP, Node, make, snapshot

pytestmark = pytest.mark.system

LOWER = [
    Node(b"etc/kept", content=b"kept"),
    Node(b"etc/changed", content=b"old"),
    Node(b"etc/deleted", content=b"old"),
    Node(b"gone/deep/file", content=b"old"),
    Node(b"replaced/old", content=b"old"),
    Node(b"file-to-directory", content=b"old"),
]
CHANGES = """
cd "$1"
echo -n new >etc/changed; rm etc/deleted; rm -r gone; rm -r replaced; mkdir replaced; echo -n new >replaced/new
rm file-to-directory; mkdir file-to-directory; echo -n new >file-to-directory/new; mkfifo fifo; chmod 750 etc
touch -d @1600000000 etc/changed replaced/new file-to-directory/new fifo replaced file-to-directory etc .
"""


def in_overlay(lowers: list[Path], upper: Path | None, script: str, base: Path) -> str:
    """Run a shell script with an overlay's mount point as $1, in a mount namespace of its own."""
    (base / "mnt").mkdir(exist_ok=True)
    (base / "work").mkdir(exist_ok=True)
    options = "lowerdir=" + ":".join(str(lower) for lower in reversed(lowers))
    if upper is not None:
        upper.mkdir(exist_ok=True)
        options += f",upperdir={upper},workdir={base / 'work'},redirect_dir=off,metacopy=off"
    mount = f"mount -t overlay overlay -o '{options}' '{base / 'mnt'}'"
    whole = f"set -e; {mount}; set -- '{base / 'mnt'}'; {script}"
    return run(["unshare", "--mount", "--propagation=private", "sh", "-c", whole]).text


def test_an_upper_directory_becomes_a_layer_that_stacks_to_the_same_tree(
    store: Store, tmp_path: Path
) -> None:
    lower = make(tmp_path / "lower", LOWER)
    base = store.layers.from_tree(lower, clamp_mtime=CLAMP)
    upper = tmp_path / "upper"
    in_overlay([lower], upper, f"{CHANGES} cp -a \"$1\" '{tmp_path / 'wanted'}'", tmp_path)
    change = store.layers.from_overlay_upper(upper, clamp_mtime=CLAMP)

    names = {entry.path for entry in store.layers.table(change.diff_id).entries}
    assert {"etc/.wh.deleted", ".wh.gone", "replaced/.wh..wh..opq"} <= names
    assert "etc/kept" not in names

    trees = [store.trees.ensure(layer.diff_id) for layer in (base, change)]
    in_overlay(trees, None, f"cp -a \"$1\" '{tmp_path / 'merged'}'", tmp_path)
    assert snapshot(tmp_path / "merged") == snapshot(tmp_path / "wanted", clamp=CLAMP)
    assert store.verify().ok


def test_an_adopted_upper_directory_is_the_tree_that_unpacking_makes(store: Store, tmp_path: Path) -> None:
    lower = make(tmp_path / "lower", LOWER)
    upper = tmp_path / "upper"
    in_overlay([lower], upper, f"{CHANGES} touch -d @2000000000 etc/changed", tmp_path)
    change = store.layers.from_overlay_upper(upper, clamp_mtime=CLAMP)
    unpacked = snapshot(store.trees.ensure(change.diff_id))
    store.close()
    store.gc()
    again = store.layers.from_overlay_upper(upper, clamp_mtime=CLAMP)
    assert again == change and not store.trees.has(change.diff_id)
    assert snapshot(store.trees.adopt(change.diff_id, upper)) == unpacked
    assert not upper.exists()
    assert store.verify().ok


def test_an_adopted_tree_is_the_tree_that_unpacking_makes(store: Store, tmp_path: Path) -> None:
    nodes = [*LOWER, Node(b"cache/x"), Node(b"proc/1"), Node(b"young", mtime=CLAMP + 9)]
    tree = make(tmp_path / "tree", nodes)
    layer = store.layers.from_tree(tree, clamp_mtime=CLAMP, exclude=("proc/*", "cache"))
    adopted = snapshot(store.trees.adopt(layer.diff_id, tree))
    assert b"cache" not in adopted and b"proc/1" not in adopted and b"proc" in adopted
    assert store.verify().ok
    store.close()
    store.gc()
    layer = store.layers.from_tree(
        make(tmp_path / "tree", nodes), clamp_mtime=CLAMP, exclude=("proc/*", "cache")
    )
    assert snapshot(store.trees.ensure(layer.diff_id)) == adopted


def test_a_tree_that_changed_after_packing_is_not_adopted(store: Store, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", LOWER)
    layer = store.layers.from_tree(tree, clamp_mtime=CLAMP)
    (tree / "etc/kept").write_bytes(b"something longer")
    with pytest.raises(
        HoldfastError, match=r"is not what the layer .* holds: 'etc/kept' has 16 bytes, not 4"
    ):
        store.trees.adopt(layer.diff_id, tree)
    assert (tree / "etc/kept").exists() and not store.trees.has(layer.diff_id)


def test_an_upper_directory_that_points_into_its_lower_one_is_refused(store: Store, tmp_path: Path) -> None:
    upper = make(tmp_path / "upper", [Node(b"d/x")])
    os.setxattr(upper / "d", "trusted.overlay.redirect", b"elsewhere")
    with pytest.raises(
        HoldfastError, match=r"'d' in the overlay's upper directory does not stand alone"
    ) as caught:
        store.layers.from_overlay_upper(upper, clamp_mtime=0)
    assert "redirect_dir=off" in caught.value.resolution


def entry(path: str, kind: str = "file") -> Entry:
    return Entry(path, kind, 0o755, 0, 0, 0)  # type: ignore[arg-type]


CASES: dict[str, tuple[list[Entry], dict[str, str]]] = {
    "a whiteout hides": (
        [entry("a", "directory"), entry("a/.wh.b")],
        {"": "directory", "a": "directory", "a/b": "whiteout"},
    ),
    "a whiteout beside a new file": ([entry(".wh.b"), entry("b")], {"": "directory", "b": "file"}),
    "a whiteout beside a new directory": (
        [entry(".wh.b"), entry("b", "directory")],
        {"": "directory", "b": "directory opaque"},
    ),
    "a whiteout beside an implied directory": (
        [entry(".wh.b"), entry("b/c")],
        {"": "directory", "b": "directory opaque", "b/c": "file"},
    ),
    "an opaque directory that is only implied": (
        [entry("x/.wh..wh..opq")],
        {"": "directory", "x": "directory opaque"},
    ),
    "an opaque root": ([entry(".wh..wh..opq"), entry("a")], {"": "directory opaque", "a": "file"}),
}


@pytest.mark.parametrize("case", CASES)
def test_overlay_form(case: str) -> None:
    entries, expected = CASES[case]
    found = {
        node.path: node.kind + (" opaque" if (OPAQUE_TRUSTED, "79") in node.xattrs else "")
        for node in overlay_form(entries, opaque=OPAQUE_TRUSTED)
    }
    assert found == expected
    assert list(found) == sorted(found)


def test_a_layer_with_devices_can_be_adopted(store: Store, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", [Node(b"dev/null", "char")])
    layer = store.layers.from_tree(tree, clamp_mtime=CLAMP)
    with pytest.raises(HoldfastError, match="is a device node"):
        store.trees.ensure(layer.diff_id)
    assert (store.trees.adopt(layer.diff_id, tree) / "dev/null").is_char_device()
    assert store.trees.ensure(layer.diff_id, limits=Limits(devices=True)).is_dir()
