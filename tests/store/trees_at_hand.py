"""Trees to pack: made from plain descriptions, and read back into plain data that compares."""

# Names here may be any bytes, which pathlib does not take.
# ruff: noqa: PTH101, PTH103, PTH115, PTH118, PTH120, PTH211
from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

CLAMP = 1_700_000_000


@dataclass(frozen=True)
class Node:
    """One thing to make. ``path`` may hold any bytes but zero."""

    path: bytes
    kind: str = "file"
    content: bytes = b""
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    mtime: int = 1_600_000_000
    xattrs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    device: tuple[int, int] = (1, 3)


def make(root: Path, nodes: Sequence[Node]) -> Path:
    """Make ``nodes`` in the given order, missing parents included; ``content`` of a hard link is its first name."""
    top = os.fsencode(root)
    os.makedirs(top, exist_ok=True)
    for node in nodes:
        path = os.path.join(top, node.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _makers[node.kind](path, node, top)
    for node in nodes:
        _dress(os.path.join(top, node.path), node)
    for directory, _, _ in os.walk(top, topdown=False):
        chosen = {os.path.join(top, node.path): node.mtime for node in nodes if node.kind == "directory"}
        mtime = chosen.get(directory, 1_500_000_000)
        os.utime(directory, (mtime, mtime))
    return root


def _write(path: bytes, node: Node, _top: bytes) -> None:
    Path(os.fsdecode(path)).write_bytes(node.content)


_makers: dict[str, Callable[[bytes, Node, bytes], None]] = {
    "file": _write,
    "directory": lambda path, node, top: os.makedirs(path, exist_ok=True),
    "symlink": lambda path, node, top: os.symlink(node.content or b"nowhere", path),
    "hardlink": lambda path, node, top: os.link(os.path.join(top, node.content), path),
    "fifo": lambda path, node, top: os.mkfifo(path),
    "char": lambda path, node, top: os.mknod(path, stat.S_IFCHR, os.makedev(*node.device)),
}


def _dress(path: bytes, node: Node) -> None:
    if node.kind == "hardlink":
        return
    if os.geteuid() == 0:
        os.chown(path, *node.owner, follow_symlinks=False)
    if node.kind != "symlink":
        os.chmod(path, node.mode)
        for name, value in node.xattrs.items():
            os.setxattr(path, name, value)
    os.utime(path, (node.mtime, node.mtime), follow_symlinks=False)


def snapshot(root: Path, *, clamp: int | None = None) -> dict[bytes, tuple[object, ...]]:
    """Everything of a tree that a layer keeps; ``clamp`` bounds the times as packing does. Links compare by their inodes."""
    top = os.fsencode(root)
    found: dict[bytes, tuple[object, ...]] = {}
    first: dict[tuple[int, int], bytes] = {}
    for directory, directories, files in os.walk(top):
        for name in sorted([b"", *directories, *files] if directory == top else [*directories, *files]):
            path = os.path.join(directory, name).rstrip(b"/")
            status = os.lstat(path)
            relative = os.path.relpath(path, top)
            mtime = int(status.st_mtime) if clamp is None else min(int(status.st_mtime), clamp)
            found[relative] = (
                status.st_mode,
                (status.st_uid, status.st_gid),
                mtime,
                status.st_rdev,
                _content(path, status.st_mode),
                _xattrs(path),
            )
            if stat.S_ISREG(status.st_mode):
                first.setdefault((status.st_dev, status.st_ino), relative)
                found[relative] += (first[status.st_dev, status.st_ino],)
    return found


def _content(path: bytes, mode: int) -> bytes:
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    return Path(os.fsdecode(path)).read_bytes() if stat.S_ISREG(mode) else b""


def _xattrs(path: bytes) -> tuple[tuple[str, bytes], ...]:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)


CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")
"""cap_net_bind_service=ep, as setcap(8) writes it (struct vfs_cap_data, version 2)."""

EVERYTHING: tuple[Node, ...] = (
    Node(b"etc", "directory", mode=0o755),
    Node(b"etc/passwd", content=b"root:x:0:0::/root:/bin/sh\n"),
    Node(b"etc/shadow", content=b"secret", mode=0o640, owner=(0, 42)),
    Node(b"usr/bin/su", content=b"\x7fELF" * 300, mode=0o4755),
    Node(b"usr/bin/ping", content=b"ping", mode=0o755, xattrs={"security.capability": CAPABILITY}),
    Node(b"usr/bin/zz-ping", "hardlink", content=b"usr/bin/ping"),
    Node(b"var/mail", "directory", mode=0o2775, owner=(0, 8)),
    Node(b"tmp", "directory", mode=0o1777),
    Node(b"home/large", content=b"x", owner=(3_000_000_000, 2_500_000)),
    Node(b"home/user", content=b"x" * 511, xattrs={"user.note": b"\0\xff=\n", "user.empty": b""}),
    Node(b"bin", "symlink", content=b"usr/bin"),
    Node(b"dangling", "symlink", content=b"/nowhere/" + b"x" * 300),
    Node(b"run/fifo", "fifo", mode=0o600),
    Node(b"dev/null", "char", mode=0o666),
    Node(b"not-utf8-\xff\xfe", content=b"y" * 512),
    Node("größe/文字".encode(), content=b"z" * 513),
    Node(b"/".join([b"d" * 120, b"e" * 200, b"f" * 255]), content=b"long"),
    Node(b"young", content=b"", mtime=CLAMP + 500),
    Node(b"before-1970", content=b"", mtime=-5),
    Node(b"a-b", content=b"1"),
    Node(b"a/b", content=b"2"),
)
