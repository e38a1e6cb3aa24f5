from __future__ import annotations

import json
from pathlib import Path

import pytest

from holdfast.store import open_store
from tests.cli.projects import CommandLine


@pytest.fixture
def ref(holdfast: CommandLine, tmp_path: Path) -> str:
    """A small artifact in the test's store, under a name."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "hello").write_text("held fast\n")
    store = open_store(tmp_path / "store")
    layer = store.layers.from_tree(tree, clamp_mtime=0)
    artifact = store.put_artifact("application/x", b"{}", "application/x-config", [layer])
    store.refs.set("systems/first/web", artifact.manifest)
    store.close()
    return "systems/first/web"


def test_ls(holdfast: CommandLine, ref: str) -> None:
    assert holdfast("store", "ls") == 0
    header, row, total = holdfast.out.splitlines()
    assert header.split() == ["NAME", "IDENTITY", "LAYERS", "SIZE"]
    assert row.split()[0] == ref
    assert " blobs, " in total


def test_ls_json(holdfast: CommandLine, ref: str) -> None:
    assert holdfast("store", "ls", "--json") == 0
    document = json.loads(holdfast.out)
    assert [item["name"] for item in document["refs"]] == [ref]
    assert document["bytes"] > 0


def test_an_empty_store(holdfast: CommandLine) -> None:
    assert holdfast("store", "ls") == 0
    assert "0 blobs, 0 B" in holdfast.out


def test_gc_says_what_would_go_and_then_it_goes(holdfast: CommandLine, ref: str, tmp_path: Path) -> None:
    assert holdfast("store", "rm", ref, "--dry-run") == 0
    assert holdfast.out == f"Would remove {ref}\n"
    assert holdfast("store", "rm", ref) == 0
    assert holdfast("store", "gc", "--dry-run") == 0
    assert "Would free" in holdfast.out
    blobs = tmp_path / "store" / "blobs" / "sha256"
    assert list(blobs.iterdir())
    assert holdfast("store", "gc", "--json") == 0
    report = json.loads(holdfast.out)
    assert report["freed_bytes"] > 0
    assert list(blobs.iterdir()) == []


def test_gc_keeps_what_has_a_name(holdfast: CommandLine, ref: str) -> None:
    assert holdfast("store", "gc") == 0
    assert "kept 3 blobs" in holdfast.out
    assert holdfast("store", "verify") == 0


def test_verify_finds_a_flipped_bit(holdfast: CommandLine, ref: str, tmp_path: Path) -> None:
    assert holdfast("store", "verify") == 0
    assert holdfast.out.startswith("Sound: 3 blobs")
    assert holdfast("store", "verify", "--json") == 0
    assert json.loads(holdfast.out)["findings"] == [], "a key is there with nothing to say too"
    blob = max((tmp_path / "store" / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    data = bytearray(blob.read_bytes())
    data[600] ^= 1
    blob.chmod(0o600)
    blob.write_bytes(data)
    assert holdfast("store", "verify") == 1
    assert blob.name in holdfast.out
    assert ref in holdfast.out
    assert holdfast("store", "verify", "--json") == 1
    assert json.loads(holdfast.out)["ok"] is False


def test_export(holdfast: CommandLine, ref: str, tmp_path: Path) -> None:
    assert holdfast("store", "export", ref, "exported") == 0
    assert holdfast.out.startswith("exported:latest  sha256:")
    assert (tmp_path / "exported" / "oci-layout").exists()
    assert "exported" in holdfast.fails("store", "export", ref, "exported"), "an export never overwrites"


def test_unknown_names_say_where_to_look(holdfast: CommandLine) -> None:
    for arguments in (
        ("export", "systems/x", "there"),
        ("rm", "systems/x"),
        ("rm", "systems/x", "--dry-run"),
    ):
        assert "holdfast store ls" in holdfast.fails("store", *arguments)
