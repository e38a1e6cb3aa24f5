from __future__ import annotations

import os
import random
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, Message, listen
from holdfast.store import Store, compare_tables, open_store
from holdfast.store.admission import Limits
from holdfast.store.layers import index_tar
from tests.examples import at_most
from tests.store.trees_at_hand import CLAMP, EVERYTHING, Node, make, snapshot

OWN = Limits(devices=True)
within_tmp_path = at_most(25, suppress=[HealthCheck.function_scoped_fixture])


@pytest.mark.system
def test_everything_that_a_layer_keeps_survives_the_round_trip(store: Store, tmp_path: Path) -> None:
    tree = make(tmp_path / "tree", EVERYTHING)
    layer = store.layers.from_tree(tree, clamp_mtime=CLAMP)
    assert snapshot(store.trees.ensure(layer.diff_id, limits=OWN)) == snapshot(tree, clamp=CLAMP)
    assert store.verify().ok


@pytest.mark.system
def test_the_order_of_creation_does_not_change_the_digest(store: Store, tmp_path: Path) -> None:
    digests = set()
    for number in range(5):
        links = [node for node in EVERYTHING if node.kind == "hardlink"]
        others = [node for node in EVERYTHING if node.kind != "hardlink"]
        random.Random(number).shuffle(others)
        tree = make(tmp_path / f"tree{number}", [*others, *links])
        digests.add(store.layers.from_tree(tree, clamp_mtime=CLAMP).diff_id)
    assert len(digests) == 1


@pytest.mark.system
def test_the_table_written_while_packing_is_the_table_read_from_the_tar(store: Store, tmp_path: Path) -> None:
    layer = store.layers.from_tree(make(tmp_path / "tree", EVERYTHING), clamp_mtime=CLAMP)
    table = store.layers.table(layer.diff_id)
    assert index_tar(store.blobs.path(layer.diff_id), layer.diff_id, layer.size) == table
    for path in ("etc/passwd", "home/user"):
        entry = next(entry for entry in table.entries if entry.path == path)
        assert store.layers.read_file(layer.diff_id, entry) == (tmp_path / "tree" / path).read_bytes()


names = st.binary(min_size=1, max_size=12).filter(
    lambda name: not set(name) & set(b"/\0") and name not in (b".", b"..") and not name.startswith(b".wh.")
)
uids = st.integers(0, 2**32 - 2) if os.geteuid() == 0 else st.just(os.geteuid())
files = st.builds(
    Node,
    path=st.lists(names, min_size=1, max_size=3).map(b"/".join),
    kind=st.sampled_from(["file", "file", "directory", "symlink", "fifo"]),
    content=st.one_of(st.binary(max_size=40).filter(lambda data: b"\0" not in data), st.just(b"x" * 1500)),
    mode=st.integers(0, 0o7777),
    owner=st.tuples(uids, uids),
    mtime=st.integers(-(2**31), 2**33),
)


def consistent(nodes: list[Node]) -> list[Node]:
    """Without those that would need another one of them to be a directory."""
    kept: dict[bytes, Node] = {}
    for node in nodes:
        above = [b"/".join(node.path.split(b"/")[:depth]) for depth in range(1, node.path.count(b"/") + 1)]
        clash = any(path in kept and kept[path].kind != "directory" for path in above)
        below = any(path.startswith(node.path + b"/") for path in kept) and node.kind != "directory"
        if node.path not in kept and not clash and not below:
            kept[node.path] = node
    return list(kept.values())


@pytest.mark.system
@within_tmp_path
@given(nodes=st.lists(files, max_size=12).map(consistent), seed=st.integers(0, 1000))
def test_any_tree_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, nodes: list[Node], seed: int
) -> None:
    base = tmp_path_factory.mktemp("any")
    store = open_store(base / "store")
    layer = store.layers.from_tree(make(base / "tree", nodes), clamp_mtime=CLAMP)
    assert snapshot(store.trees.ensure(layer.diff_id)) == snapshot(base / "tree", clamp=CLAMP)
    random.Random(seed).shuffle(nodes)
    assert store.layers.from_tree(make(base / "again", nodes), clamp_mtime=CLAMP) == layer
    table = store.layers.table(layer.diff_id)
    assert index_tar(store.blobs.path(layer.diff_id), layer.diff_id, layer.size) == table


def test_times_are_clamped_down_and_never_raised(store: Store, tmp_path: Path) -> None:
    own = (os.geteuid(), os.getegid())
    tree = make(tmp_path / "tree", [Node(b"old", mtime=7, owner=own), Node(b"new", mtime=2**33, owner=own)])
    layer = store.layers.from_tree(tree, clamp_mtime=1000)
    assert {entry.path: entry.mtime for entry in store.layers.table(layer.diff_id).entries} == {
        "": 1000,
        "old": 7,
        "new": 1000,
    }


def test_excluded_paths_and_emptied_directories_are_left_out(store: Store, tmp_path: Path) -> None:
    tree = make(
        tmp_path / "tree", [Node(b"proc/1/x"), Node(b"keep/a"), Node(b"keep/b"), Node(b"gone/deep/c")]
    )
    layer = store.layers.from_tree(tree, clamp_mtime=0, exclude=("proc/*", "gone", "keep/b"))
    paths = [entry.path for entry in store.layers.table(layer.diff_id).entries]
    assert paths == ["", "keep", "keep/a", "proc"]


def test_a_socket_is_left_out_and_said_so(store: Store, tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    told: list[Event] = []
    with socket.socket(socket.AF_UNIX) as listening, listen(told.append):
        listening.bind(str(tmp_path / "t" / "s"))
        layer = store.layers.from_tree(tmp_path / "t", clamp_mtime=0)
    assert [entry.path for entry in store.layers.table(layer.diff_id).entries] == [""]
    assert any(isinstance(event, Message) and "Left out s" in event.text for event in told)


@pytest.mark.parametrize("name", [".wh.x", ".wh..wh..opq"])
def test_a_name_that_means_a_whiteout_cannot_be_packed(store: Store, tmp_path: Path, name: str) -> None:
    make(tmp_path / "tree", [Node(b"d/" + name.encode())])
    with pytest.raises(HoldfastError, match="name is that of a whiteout"):
        store.layers.from_tree(tmp_path / "tree", clamp_mtime=0)
    assert list(store.blobs.list()) == []


@pytest.mark.system
def test_a_whiteout_device_cannot_be_packed_as_a_plain_tree(store: Store, tmp_path: Path) -> None:
    make(tmp_path / "tree", [Node(b"x", "char", device=(0, 0))])
    with pytest.raises(HoldfastError, match="overlayfs whiteouts"):
        store.layers.from_tree(tmp_path / "tree", clamp_mtime=0)


@pytest.mark.parametrize("growth", [b"", b"xx"])
def test_a_file_that_changes_while_it_is_packed_is_told(
    store: Store, tmp_path: Path, growth: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/log").write_bytes(b"x")
    listxattr = os.listxattr

    def write_and_list(descriptor: int) -> list[str]:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):  # its status was read a moment ago
            (tmp_path / "tree/log").write_bytes(growth)
        return listxattr(descriptor)

    monkeypatch.setattr(os, "listxattr", write_and_list)
    with pytest.raises(HoldfastError, match=r"tree/log: it changed its size while it was read"):
        store.layers.from_tree(tmp_path / "tree", clamp_mtime=0)
    assert list(store.blobs.list()) == []


def test_a_tree_that_is_not_there_is_said_so(store: Store, tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match=r"cannot read the tree .*/nowhere"):
        store.layers.from_tree(tmp_path / "nowhere", clamp_mtime=0)


def test_a_file_larger_than_the_buffers_is_packed_whole(store: Store, tmp_path: Path) -> None:
    content = random.Random(1).randbytes(9 << 20)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/large").write_bytes(content)
    layer = store.layers.from_tree(tmp_path / "tree", clamp_mtime=0)
    entry = store.layers.table(layer.diff_id).entries[1]
    assert store.layers.read_file(layer.diff_id, entry) == content


def test_a_table_that_is_gone_or_damaged_is_made_again(store: Store, tmp_path: Path) -> None:
    layer = store.layers.from_tree(make(tmp_path / "tree", [Node(b"a", content=b"1")]), clamp_mtime=0)
    path = store.root / "tables" / layer.diff_id[7:]
    whole = path.read_bytes()
    path.unlink()
    assert store.layers.from_tar(layer.diff_id) == layer
    assert path.read_bytes() == whole
    path.chmod(0o600)
    path.write_bytes(whole.replace(b'"a"', b'"b"'))
    assert [entry.path for entry in store.layers.table(layer.diff_id).entries] == ["", "a"]
    assert path.read_bytes() == whole


def test_a_tree_deeper_than_what_is_unpacked_is_not_packed(store: Store, tmp_path: Path) -> None:
    make(tmp_path / "good", [Node(b"d/" * 199 + b"x", owner=(os.geteuid(), os.getegid()))])
    layer = store.layers.from_tree(tmp_path / "good", clamp_mtime=0)
    assert (store.trees.ensure(layer.diff_id) / ("d/" * 199)).is_dir()
    make(tmp_path / "bad", [Node(b"d/" * 200 + b"x")])
    with pytest.raises(HoldfastError, match="200 directories deep"):
        store.layers.from_tree(tmp_path / "bad", clamp_mtime=0)


def test_comparing_tables_tells_what_changed(store: Store, tmp_path: Path) -> None:
    old = store.layers.from_tree(
        make(tmp_path / "old", [Node(b"a", content=b"1"), Node(b"b"), Node(b"c", mode=0o600)]), clamp_mtime=0
    )
    new = store.layers.from_tree(
        make(tmp_path / "new", [Node(b"a", content=b"2"), Node(b"c", mode=0o644), Node(b"d")]), clamp_mtime=0
    )
    changes = list(compare_tables(store.layers.table(old.diff_id), store.layers.table(new.diff_id)))
    assert [(change.path, change.before is None, change.after is None) for change in changes] == [
        ("a", False, False),
        ("b", False, True),
        ("c", False, False),
        ("d", True, False),
    ]
    assert list(compare_tables(store.layers.table(old.diff_id), store.layers.table(old.diff_id))) == []
