from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from holdfast.base.process import run
from holdfast.sandbox import Root, overlay
from holdfast.sandbox.rootless import Range, mapping, outer_uid, parse_ranges
from holdfast.store import open_store


def test_what_getsubids_prints() -> None:
    assert parse_ranges("0: anna 100000 65536\n1: anna 300000 5\n") == (
        Range(100000, 65536),
        Range(300000, 5),
    )
    assert parse_ranges("Error fetching ranges\n") == ()


def test_the_own_id_is_root_and_the_ranges_follow_it() -> None:
    assert mapping(1000, (Range(100000, 65536), Range(300000, 5))) == "0 1000 1 1 100000 65536 65537 300000 5"


def test_who_a_user_is_outside() -> None:
    assert outer_uid() == os.getuid()
    shown = run(
        ["unshare", "--user", "--map-root-user", sys.executable, "-c", _ASK],
        check=False,
    )
    assert shown.text == f"0 {os.getuid()}\n", shown


_ASK = "import os; from holdfast.sandbox.rootless import outer_uid; print(os.geteuid(), outer_uid())"


def pack_changes(place: Path) -> str:
    """The digest of a layer of changes, made and used as a build does: an overlay's upper directory over an unpacked tree."""
    store = open_store(place / "store")
    lower = place / "lower"
    for name in ("replaced/old", "kept/a", "kept/b"):
        (lower / name).parent.mkdir(parents=True, exist_ok=True)
        (lower / name).write_text(name)
    base = store.layers.from_tree(lower, clamp_mtime=0)
    script = 'cd "$1"; rm -r replaced kept/a; mkdir replaced; echo new >replaced/new; chmod 4755 kept/b'
    with overlay(Root((store.trees.ensure(base.diff_id),), upper=place / "upper")) as merged:
        run(["sh", "-euc", f"umask 022; {script}", "sh", merged])
    changes = store.layers.from_overlay_upper(place / "upper", clamp_mtime=0)
    trees = tuple(store.trees.ensure(layer.diff_id) for layer in (base, changes))
    with overlay(Root(trees)) as merged:
        seen = sorted(str(path.relative_to(merged)) for path in merged.rglob("*"))
    assert seen == ["kept", "kept/b", "replaced", "replaced/new"]
    names = [entry.path for entry in store.layers.table(changes.diff_id).entries]
    assert {"replaced/.wh..wh..opq", "kept/.wh.a"} <= set(names)
    assert not any(entry.xattrs for entry in store.layers.table(changes.diff_id).entries)
    assert store.verify().ok
    return changes.diff_id


_PACK = "import sys; from pathlib import Path; from tests.sandbox.test_rootless import pack_changes; print(pack_changes(Path(sys.argv[1])))"


@pytest.mark.system
@pytest.mark.slow
def test_layers_in_a_user_namespace_are_those_of_root(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("compares with what root makes")
    (tmp_path / "root").mkdir()
    (tmp_path / "inner").mkdir()
    inner = run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-c", _PACK, tmp_path / "inner"],
        cwd=Path(__file__).parents[2],
    )
    assert inner.text.strip() == pack_changes(tmp_path / "root")
    marks = [
        os.listxattr(next((tmp_path / name / "store/trees").glob("*/fs/replaced/new")).parent)
        for name in ("root", "inner")
    ]
    assert marks == [["trusted.overlay.opaque"], ["user.overlay.opaque"]]
