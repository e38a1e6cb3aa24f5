"""Images as other people's tools see them: skopeo copies what we export, umoci unpacks it, and nothing is lost on the way."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.distro.tools import tools_tree
from holdfast.project.building import Built
from holdfast.sandbox import Bind
from holdfast.store import ImageConfig, Store

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

# Version 2 capability of vfs: cap_net_raw, permitted and effective (capabilities(7), linux/capability.h).
NET_RAW = bytes.fromhex("0100000200200000000000000000000000000000")


def metadata(root: Path, *, links: bool = True) -> dict[str, tuple[object, ...]]:
    """Everything below ``root`` that an image has to carry, by relative path; ``links`` counts hard links too."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        attributes = {
            key: os.getxattr(path, key, follow_symlinks=False)
            for key in os.listxattr(path, follow_symlinks=False)
            if key == "security.capability" or key.startswith("user.")
        }
        found[str(path.relative_to(root))] = (
            status.st_mode,
            status.st_uid,
            status.st_gid,
            status.st_rdev,
            status.st_nlink if links and stat.S_ISREG(status.st_mode) else 0,
            str(path.readlink()) if path.is_symlink() else None,
            tuple(sorted(attributes.items())),
        )
    return found


def through_foreign_tools(store: Store, exported: Path, scratch: Path) -> Path:
    """Copy with skopeo, unpack with umoci; returns the unpacked root file system."""
    tools = tools_tree(store, "tools")
    scratch.mkdir()
    binds = {"/exported": Bind(exported), "/scratch": Bind(scratch, writable=True)}
    with tools.enter(binds=binds) as inside:
        inside.run(
            ["skopeo", "copy", "--insecure-policy", "oci:/exported:latest", "oci:/scratch/copy:latest"]
        )
        inside.run(["umoci", "unpack", "--image", "/scratch/copy:latest", "/scratch/bundle"])
    return scratch / "bundle" / "rootfs"


def test_owners_capabilities_and_setuid_survive(shared_store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir(mode=0o755)
    for name, mode, owner in (
        ("su", 0o4755, 0),
        ("wall", 0o2755, 5),
        ("own", 0o640, 1234),
        ("large", 0o600, 3_000_000),
    ):
        (tree / name).write_text(name)
        os.chown(tree / name, owner, owner)
        (tree / name).chmod(mode)
    (tree / "ping").write_text("ping")
    os.setxattr(tree / "ping", "security.capability", NET_RAW)
    os.setxattr(tree / "ping", "user.note", b"kept")
    os.link(tree / "su", tree / "also-su")
    (tree / "tmp").mkdir()
    (tree / "tmp").chmod(0o1777)
    (tree / "dangling").symlink_to("/nowhere")
    before = metadata(tree)

    layer = shared_store.layers.from_tree(tree, clamp_mtime=1_700_000_000)
    artifact = shared_store.put_image(ImageConfig("amd64", 1_700_000_000), [layer])
    shared_store.export(artifact.manifest, tmp_path / "exported")
    assert metadata(through_foreign_tools(shared_store, tmp_path / "exported", tmp_path / "out")) == before


def test_a_built_system_is_accepted(
    built: Callable[[str, str], Built], shared_store: Store, tmp_path: Path
) -> None:
    artifact = built("web", "web").artifact
    shared_store.export(artifact.manifest, tmp_path / "exported", gzip=True)
    root = through_foreign_tools(shared_store, tmp_path / "exported", tmp_path / "out")

    # The store's trees share inodes among themselves, so that their link counts say nothing.
    base = metadata(shared_store.trees.ensure(artifact.layers[0].diff_id), links=False)
    unpacked = metadata(root, links=False)
    changed = {
        entry.path
        for layer in artifact.layers[1:]
        for entry in shared_store.layers.table(layer.diff_id).entries
    }
    for path, wanted in base.items():
        if path not in changed:
            assert unpacked[path] == wanted, path
    assert (root / "srv/www/index.html").read_text() == "<h1>Held fast.</h1>\n"
    assert any((root / path).stat().st_mode & stat.S_ISUID for path in ("usr/bin/su", "usr/bin/mount"))

    copied = json.loads((tmp_path / "out" / "copy" / "index.json").read_text())["manifests"][0]["digest"]
    manifest = json.loads((tmp_path / "out" / "copy" / "blobs" / copied.replace(":", "/")).read_text())
    assert manifest["config"]["digest"] == artifact.identity
