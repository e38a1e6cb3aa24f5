"""Whether somebody changed a secret by hand, told without knowing it: its keyed hash is recorded when it is put in place.

The key is random and never leaves the machine, so that a recorded hash says nothing to whoever guesses contents. See RFC 2104.
"""

from __future__ import annotations

import hmac
import io
import json
import os
import secrets
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from holdfast.base.atomic import write_atomically
from holdfast.base.codec import canonical_json
from holdfast.base.digests import digest_bytes, hex_of
from holdfast.base.errors import explain_os_errors
from holdfast.host import state as places
from holdfast.host.files.nodes import File, Secret
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.home import home_path
from holdfast.host.live import Live
from holdfast.host.state import State

_MARKS = "secrets"
_KEY = "key"
_CHUNK = 1 << 20


def mark(live: Live, path: str, source: str, plain: bytes) -> None:
    """Record what was put at ``path``.

    Raises:
        HoldfastError: it cannot be written.
    """
    directory = home_path(live) / _MARKS
    with explain_os_errors("note what was decrypted"):
        directory.mkdir(0o700, parents=True, exist_ok=True)
        key = _key(directory)
        document = {"mac": _mac(key, io.BytesIO(plain)), "path": path, "source": source}
        write_atomically(directory / _name(path), canonical_json(document), mode=0o600)


def _key(directory: Path) -> bytes:
    with suppress(FileNotFoundError):
        return (directory / _KEY).read_bytes()
    key = secrets.token_bytes(32)
    write_atomically(directory / _KEY, key, mode=0o600)
    return key


def _mac(key: bytes, plain: BinaryIO) -> str:
    state = hmac.new(key, digestmod="sha256")
    while chunk := plain.read(_CHUNK):  # in pieces: whose secret it is may have made it as large as they like
        state.update(chunk)
    return state.hexdigest()


def _name(path: str) -> str:
    return f"{hex_of(digest_bytes(os.fsencode(path)))}.json"


def read_changed(root: RootDirectory, state: State | None) -> frozenset[str]:
    """Paths of secrets of ours whose content is not what was decrypted; one without a record is believed.

    Raises:
        OSError: something cannot be read.
    """
    if state is None:
        return frozenset()
    found: set[str] = set()
    for path, managed in state.paths.items():
        if isinstance(managed.node, Secret) and isinstance(root.locate(path).node, File):
            document = root.read(f"{places.HOME}/{_MARKS}/{_name(path)}")
            key = root.read(f"{places.HOME}/{_MARKS}/{_KEY}")
            if document is None or key is None:
                continue
            known = cast("dict[str, str]", json.loads(document))
            if known["source"] == managed.node.source:
                with suppress(FileNotFoundError), root.open(path) as plain:
                    if not hmac.compare_digest(known["mac"], _mac(key, plain)):
                        found.add(path)
    return frozenset(found)


def prune_marks(home: Path, state: State | None) -> None:
    """Forget secrets that are not there any more; the key goes with the last."""
    directory = home / _MARKS
    paths: Collection[str] = state.paths if state else ()
    needed = {_name(path) for path in paths if state and isinstance(state.paths[path].node, Secret)}
    with suppress(OSError):  # nothing is lost by what stays
        for name in os.listdir(directory):  # noqa: PTH208 (names, no paths)
            if name not in needed and (name != _KEY or not needed):
                (directory / name).unlink()
        if not needed:
            directory.rmdir()
