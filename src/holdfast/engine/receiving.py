"""`holdfast receive`: a generation from the author's side into this machine's store, only what is missing of it.

::

    author:  {"artifact": "sha256:...", "blobs": {"sha256:...": SIZE, ...}}     one line; the artifact's manifest is a blob, too
    machine: {"missing": ["sha256:...", ...]}                                   one line
    author:  exactly SIZE bytes of each missing blob, in that order
    machine: {"stored": N}                                                      one line

In place of each of its lines the machine may say ``{"error": {...}}`` (fields as in :func:`~holdfast.engine.output.error_fields`)
and end; the author then reads that line when writing fails. Every blob is checked against its digest before it is visible, and
never more is read than was announced.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO, cast

from holdfast.base.codec import JSON
from holdfast.base.digests import Digest, hex_of, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.base.event_lines import describe_amount
from holdfast.base.events import stage
from holdfast.base.records import dataclass
from holdfast.base.style import Style
from holdfast.engine import output
from holdfast.engine.outcome import Outcome, Place, demand_root
from holdfast.store.store import Store

INCOMING = "incoming"
"""The ref that keeps what was received last until a generation keeps it."""

_MAX_HEADER = 32 << 20
_MAX_BLOB = 1 << 40
_CHUNK = 1 << 20
_SPARE_BYTES = 32 << 20
"""Left free on the disk: a machine whose disk is full to the last byte cannot be switched."""


@dataclass(frozen=True)
class Announced:
    """What the author's side wants to be here."""

    artifact: Digest
    blobs: Mapping[Digest, int]
    """Digest to size in bytes."""


def receive(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast receive`."""
    demand_root("put generations into this machine's store")
    place = Place(options.root)
    answers = sys.stdout.buffer

    def make_room() -> None:
        from holdfast.engine.refs import collect_garbage  # it loads what receiving does not need else

        with place.live() as live:
            collect_garbage(place, live)

    try:
        receive_into(place.store, sys.stdin.buffer, answers, make_room=make_room)
    except HoldfastError as error:
        _answer(answers, {"error": output.error_fields(error)})
        raise
    return Outcome(None)


def receive_into(
    store: Store, requests: BinaryIO, answers: BinaryIO, make_room: Callable[[], None] = lambda: None
) -> None:
    """One conversation. ``make_room`` is called before a disk that is too full is complained of.

    Raises:
        HoldfastError: what came is not what was announced, or there is no room for it.
    """
    announced = read_announcement(requests)
    with store.lease(
        "receiving a generation", [digest for digest in announced.blobs if store.blobs.has(digest)]
    ):
        missing = [digest for digest in announced.blobs if not _has(store, digest, announced.blobs[digest])]
        size = sum(announced.blobs[digest] for digest in missing)
        if _room(store) < size:
            make_room()
        _demand_room(store, size)
        _answer(answers, {"missing": list(missing)})
        with stage("Receiving", total=size, unit="bytes") as progress:
            for digest in missing:
                with store.blobs.writer() as writer:
                    left = announced.blobs[digest]
                    while left:
                        data = requests.read(min(left, _CHUNK))
                        if not data:
                            raise HoldfastError(
                                f"the connection ended {describe_amount(left, 'bytes')} before the end of {hex_of(digest)[:12]}",
                                resolution="Run the command again: what arrived whole is not sent again.",
                            )
                        writer.write(data)
                        progress.advance(len(data))
                        left -= len(data)
                    writer.commit(digest)
        store.refs.set(INCOMING, announced.artifact)
        _answer(answers, {"stored": len(missing)})


def read_announcement(requests: BinaryIO) -> Announced:
    """The first line.

    Raises:
        HoldfastError: it is not what the protocol says.
    """
    line = requests.readline(_MAX_HEADER + 1)
    if len(line) > _MAX_HEADER:
        raise _broken(f"the announcement has more than {describe_amount(_MAX_HEADER, 'bytes')}")
    if not line.endswith(b"\n"):
        raise _broken("the connection ended within the announcement")
    try:
        data: object = json.loads(line)
    except (ValueError, RecursionError):
        raise _broken("the announcement is not JSON") from None
    fields = cast("dict[str, object]", data) if isinstance(data, dict) else {}
    blobs = fields.get("blobs")
    if set(fields) != {"artifact", "blobs"} or not isinstance(blobs, dict):
        raise _broken("the announcement has not the fields 'artifact' and 'blobs'")
    sizes: dict[Digest, int] = {}
    for name, size in cast("dict[str, object]", blobs).items():
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _MAX_BLOB:
            raise _broken(f"the blob {name[:80]} has the size {str(size)[:80]}")
        sizes[_digest(name)] = size
    artifact = _digest(fields["artifact"])
    if artifact not in sizes:
        raise _broken("the artifact is not among the announced blobs")
    return Announced(artifact, sizes)


def _digest(value: object) -> Digest:
    text = str(value)
    if not text.startswith("sha256:"):
        raise _broken(f"{text[:80]!r} is not a digest")
    return parse_digest(text)


def _has(store: Store, digest: Digest, size: int) -> bool:
    return store.blobs.has(digest) and store.blobs.size(digest) == size


def _room(store: Store) -> int:
    """Bytes that may come; less than none where even the spare ones are taken."""
    status = os.statvfs(store.root)
    return status.f_bavail * status.f_frsize - _SPARE_BYTES


def _demand_room(store: Store, size: int) -> None:
    room = _room(store)
    if room < size:
        free = room + _SPARE_BYTES
        raise HoldfastError(
            f"the disk of {store.root} is too full: {describe_amount(size, 'bytes')} are to come, "
            f"{describe_amount(free, 'bytes')} are free, of which {describe_amount(_SPARE_BYTES, 'bytes')} have to stay free",
            resolution="Free some space there: `holdfast generations prune` forgets old generations.",
        )


def _broken(what: str) -> HoldfastError:
    return HoldfastError(
        f"what came is no generation: {what}",
        resolution="Use the same version of Holdfast on both sides, and a connection that adds nothing to what it carries.",
    )


def _answer(answers: BinaryIO, value: dict[str, JSON]) -> None:
    answers.write(json.dumps(value).encode() + b"\n")
    answers.flush()
