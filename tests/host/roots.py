"""Small root file systems for tests, and what one says about them."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from holdfast.base.digests import Digest, digest_bytes
from holdfast.host.accounts.ids import Ids
from holdfast.host.offline import Activation, activate
from holdfast.manifest.model import SCHEMA_VERSION, Distribution, Identity, Manifest

EPOCH = 1_700_000_000
DAY = str(EPOCH // 86400)

PASSWD = """\
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
# a comment that somebody left
sshd:x:998:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
"""
GROUP = """\
root:x:0:
daemon:x:1:
shadow:x:42:
sudo:x:27:
nogroup:x:65534:
"""
SHADOW = """\
root:*:19000:0:99999:7:::
daemon:*:19000:0:99999:7:::
sshd:!:19000::::::
nobody:*:19000:0:99999:7:::
"""
GSHADOW = """\
root:*::
daemon:*::
shadow:*::
sudo:*::
nogroup:*::
"""


def make_root(root: Path, files: Mapping[str, str] | None = None) -> Path:
    """A merged-/usr root with accounts, a shell, two zones, a skeleton; ``files`` are added. ``root`` must not be there."""
    for directory in (
        "etc/skel",
        "usr/bin",
        "usr/sbin",
        "usr/lib/systemd/system",
        "root",
        "home",
        "var/lib",
        "etc/systemd/system",
    ):
        (root / directory).mkdir(parents=True)
    for name in ("bin", "sbin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    contents = {
        "etc/passwd": PASSWD,
        "etc/group": GROUP,
        "etc/shadow": SHADOW,
        "etc/gshadow": GSHADOW,
        "etc/login.defs": "# UID_MIN 5\nUID_MIN\t\t 1000\nUID_MAX 60000\nUMASK 022\nHOME_MODE\t0700\n",
        "etc/skel/.profile": "# profile\n",
        "etc/skel/.config/app.conf": "x=1\n",
        "usr/bin/bash": "#!\n",
        "usr/sbin/nologin": "#!\n",
        "usr/share/zoneinfo/Etc/UTC": "TZif",
        "usr/share/zoneinfo/UTC": "TZif",
        "usr/share/zoneinfo/Europe/Prague": "TZif",
        **(files or {}),
    }
    for name, text in contents.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for program in ("usr/bin/bash", "usr/sbin/nologin"):
        (root / program).chmod(0o755)
    (root / "etc/shadow").chmod(0o640)
    return root


def a_manifest(*, hostname: str = "box", **parts: Any) -> Manifest:  # Any: the fields of Manifest, by name
    identity = parts.pop("identity", Identity(hostname))
    distribution = Distribution("debian", "trixie", "amd64")
    return Manifest(SCHEMA_VERSION, "box", distribution, identity, **parts)


def blobs_of(*contents: bytes) -> Callable[[Digest], BinaryIO]:
    known = {digest_bytes(data): data for data in contents}
    return lambda digest: io.BytesIO(known[digest])


def run(
    manifest: Manifest, root: Path, *, ids: Ids | None = None, contents: tuple[bytes, ...] = ()
) -> Activation:
    return activate(manifest, root, blobs=blobs_of(*contents), ids=ids, epoch=EPOCH)


Seen = tuple[str, str, int, int, str]


def snapshot(root: Path, *, without: tuple[str, ...] = ()) -> dict[str, Seen]:
    """Everything below ``root``: kind, mode, owner, group, content or target."""
    seen: dict[str, Seen] = {}
    for directory, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(directory) / name
            shown = "/" + str(path.relative_to(root))
            if not any(shown == place or shown.startswith(f"{place}/") for place in without):
                seen[shown] = _see(path)
    return seen


def _see(path: Path) -> Seen:
    status = path.lstat()
    content = ""
    if stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = digest_bytes(path.read_bytes())
    mode = "" if stat.S_ISLNK(status.st_mode) else f"{stat.S_IMODE(status.st_mode):04o}"
    return stat.filemode(status.st_mode)[0], mode, status.st_uid, status.st_gid, content
