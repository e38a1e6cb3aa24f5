"""Bringing a generation to a machine: what is announced and missing there goes over, nothing else. See ``engine.receiving``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO

from holdfast.base.codec import JSON
from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.events import Stage, stage
from holdfast.base.process import Conversation
from holdfast.deploy.calling import Listening, OnEvent, error_of, last_object
from holdfast.deploy.transport import Ran, Transport
from holdfast.store import Artifact, Store
from holdfast.store.artifacts import blobs_of

_CHUNK = 1 << 20
_LONGEST_LINE = 32 << 20
_OTHER_LINES = 1000
"""Start-up files of the shell over there may print so many before the first answer."""


def push(
    transport: Transport,
    script: str,
    store: Store,
    artifact: Artifact,
    on_event: OnEvent,
    *,
    arguments: Sequence[str] = (),
) -> int:
    """Bring ``artifact`` there, with the engine that ``script`` starts; returns the bytes that were sent.

    Raises:
        UnreachableError: the machine cannot be reached, or not any more.
        HoldfastError: it has no room, or something is wrong with what arrived.
    """
    named = blobs_of(store.blobs.read(artifact.manifest), artifact.manifest)
    blobs = {digest: store.blobs.size(digest) for digest in sorted(named)}
    line = json.dumps({"artifact": artifact.manifest, "blobs": blobs}).encode() + b"\n"
    listening = Listening(on_event)
    with transport.start(script, ["receive", "--json", *arguments], on_error_line=listening) as talk:
        error: HoldfastError | None = None
        sent = len(line)
        try:
            talk.stdin.write(line)
            talk.stdin.flush()
            missing = _missing(talk, blobs, transport.name)
            sent += _send(talk, store, missing, sum(blobs[digest] for digest in missing))
            _answer(talk)
        except (BrokenPipeError, _Ended):
            error = _last_word(talk)
        except _Refused as refused:
            error = error_of(refused.fields)
        code = talk.finish()
    if error is None or listening.failed is None:
        transport.judge(Ran(code, b"", tuple(listening.others)))
    listening.demand(code, f"the engine on {transport.name}")
    if error is not None:
        raise error
    return sent


class _Refused(Exception):
    def __init__(self, fields: dict[str, JSON]) -> None:
        super().__init__()
        self.fields = fields


class _Ended(Exception):
    """It ended without an answer."""


def _missing(talk: Conversation, blobs: dict[Digest, int], name: str) -> list[Digest]:
    """In the order in which the machine wants them."""
    asked = _answer(talk).get("missing")
    names = list(map(str, asked)) if isinstance(asked, list) else [""]
    known = {str(digest): digest for digest in blobs}
    if len(set(names)) != len(names) or not known.keys() >= set(names):
        raise HoldfastError(
            f"{name} asks for something that it was not offered",
            resolution=f"What answers there is no engine of Holdfast: look at what `ssh {name}` starts.",
        )
    return [known[name] for name in names]


def _send(talk: Conversation, store: Store, missing: Sequence[Digest], total: int) -> int:
    if not missing:
        return 0
    with stage("Sending", total=total, unit="bytes") as progress:
        for digest in missing:
            with store.blobs.open(digest) as blob:
                _copy(blob, talk.stdin, progress)
        talk.stdin.flush()
    return total


def _copy(blob: IO[bytes], target: IO[bytes], progress: Stage) -> None:
    while data := blob.read(_CHUNK):
        target.write(data)
        progress.advance(len(data))


def _answer(talk: Conversation) -> dict[str, JSON]:
    for _ in range(_OTHER_LINES):
        line = talk.stdout.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise _Ended
        fields = last_object(line, "missing", "stored", "error")
        if fields is not None:
            break
    else:
        raise _Ended
    error = fields.get("error")
    if isinstance(error, dict):
        raise _Refused(error)
    return fields


def _last_word(talk: Conversation) -> HoldfastError:
    try:
        _answer(talk)
    except _Refused as refused:
        return error_of(refused.fields)
    except _Ended:
        pass
    return HoldfastError(
        "the connection ended before the generation was there",
        resolution="Run the command again: what arrived whole is not sent again.",
    )
