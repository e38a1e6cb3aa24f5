from __future__ import annotations

import io
import json
import os
from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import pytest

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.engine.receiving import INCOMING, receive_into
from holdfast.store import Layer, Store, open_store


@pytest.fixture
def author(tmp_path: Path) -> Generator[Store]:
    store = open_store(tmp_path / "author")
    yield store
    store.close()


@pytest.fixture
def target(tmp_path: Path) -> Generator[Store]:
    store = open_store(tmp_path / "target")
    yield store
    store.close()


class Generation:
    """An artifact in the author's store, and what is said about it."""

    def __init__(self, store: Store, *contents: bytes) -> None:
        layers = [
            Layer(store.blobs.put_bytes(data), len(data), "application/octet-stream") for data in contents
        ]
        artifact = store.put_artifact("application/x-test", b'{"name":"web"}', "application/json", layers)
        self.artifact = artifact.manifest
        digests = [artifact.manifest, artifact.identity, *(layer.diff_id for layer in layers)]
        self.blobs = {digest: store.blobs.read(digest) for digest in digests}

    def header(self) -> bytes:
        sizes = {digest: len(data) for digest, data in self.blobs.items()}
        return json.dumps({"artifact": self.artifact, "blobs": sizes}).encode() + b"\n"


def talk(store: Store, requests: bytes) -> list[dict[str, object]]:
    answers = io.BytesIO()
    receive_into(store, io.BytesIO(requests), answers)
    return [json.loads(line) for line in answers.getvalue().splitlines()]


def test_everything_arrives_and_is_kept(author: Store, target: Store) -> None:
    generation = Generation(author, b"one" * 700_000, b"", b"two")
    said = talk(target, generation.header() + b"".join(generation.blobs.values()))
    assert said == [{"missing": list(generation.blobs)}, {"stored": len(generation.blobs)}]
    assert target.refs.get(INCOMING) == generation.artifact
    target.close()
    target.gc()
    assert all(target.blobs.read(digest) == data for digest, data in generation.blobs.items())


def test_only_what_is_missing_is_asked_for(author: Store, target: Store) -> None:
    first = Generation(author, b"one", b"two")
    talk(target, first.header() + b"".join(first.blobs.values()))
    second = Generation(author, b"two", b"three")
    new = [digest for digest in second.blobs if digest not in first.blobs]
    said = talk(target, second.header() + b"".join(second.blobs[digest] for digest in new))
    assert said == [{"missing": new}, {"stored": 2}]
    assert talk(target, second.header()) == [{"missing": []}, {"stored": 0}]


def test_no_more_is_read_than_was_announced(author: Store, target: Store) -> None:
    generation = Generation(author, b"one")
    requests = io.BytesIO(generation.header() + b"".join(generation.blobs.values()) + b"what follows")
    receive_into(target, requests, io.BytesIO())
    assert requests.read() == b"what follows"


@pytest.mark.parametrize("damage", ["bit", "short", "longer"])
def test_wrong_content_is_refused_and_not_kept(author: Store, target: Store, damage: str) -> None:
    generation = Generation(author, b"content of a file")
    *before, (last, data) = generation.blobs.items()
    changed = {"bit": b"Content of a file", "short": data[:-1], "longer": b"x" + data}[damage]
    sent = generation.header() + b"".join(content for _, content in before) + changed
    with pytest.raises(HoldfastError, match="connection ended" if damage == "short" else "digest"):
        talk(target, sent)
    assert not target.blobs.has(last)
    assert target.refs.get(INCOMING) is None
    assert list((target.root / "tmp").iterdir()) == []


def test_what_arrived_whole_is_not_sent_again(author: Store, target: Store) -> None:
    generation = Generation(author, b"one", b"two" * 1000)
    sent = generation.header() + b"".join(generation.blobs.values())
    with pytest.raises(HoldfastError, match="connection ended"):
        talk(target, sent[:-5])
    last = list(generation.blobs)[-1]
    assert talk(target, generation.header() + generation.blobs[last]) == [{"missing": [last]}, {"stored": 1}]


A = digest_bytes(b"a")


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"hello",
        b"\n",
        b"[]\n",
        b"[" * 100_000 + b"\n",
        b"{}\n",
        b"\xff\xfe\n",
        json.dumps({"artifact": A, "blobs": {}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: -1}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: True}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: "1"}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: 1 << 70}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: 1.5}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": [A]}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: 1, "../../etc": 1}}).encode() + b"\n",
        json.dumps({"artifact": "sha256:" + "A" * 64, "blobs": {A: 1}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: 1}, "command": "x"}).encode() + b"\n",
        json.dumps({"artifact": None, "blobs": {A: 1}}).encode() + b"\n",
        json.dumps({"artifact": A, "blobs": {A: 1}}).encode(),
    ],
)
def test_broken_announcements_are_refused(target: Store, header: bytes) -> None:
    answers = io.BytesIO()
    with pytest.raises(HoldfastError):
        receive_into(target, io.BytesIO(header), answers)
    assert answers.getvalue() == b""


def test_an_endless_announcement_is_not_read_to_its_end(target: Store) -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            self.taken += len(buffer)
            buffer[:] = b" " * len(buffer)
            return len(buffer)

    endless = Endless()
    with pytest.raises(HoldfastError, match="more than"):
        receive_into(target, io.BufferedReader(endless, 1 << 20), io.BytesIO())
    assert endless.taken < 40 << 20


def test_a_blob_that_is_no_artifact_is_refused(target: Store) -> None:
    header = json.dumps({"artifact": A, "blobs": {A: 1}}).encode() + b"\n"
    with pytest.raises(HoldfastError):
        talk(target, header + b"a")
    assert target.refs.get(INCOMING) is None


def test_an_artifact_without_its_blobs_is_refused(author: Store, target: Store) -> None:
    generation = Generation(author, b"one")
    data = generation.blobs[generation.artifact]
    header = json.dumps({"artifact": generation.artifact, "blobs": {generation.artifact: len(data)}}).encode()
    with pytest.raises(HoldfastError, match="not in the store"):
        talk(target, header + b"\n" + data)


def test_a_full_disk_is_told_before_anything_is_sent(target: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=10_000, f_frsize=4096))
    answers = io.BytesIO()
    header = json.dumps({"artifact": A, "blobs": {A: 50_000_000}}).encode() + b"\n"
    with pytest.raises(HoldfastError, match=r"too full: 50.0 MB are to come, 41.0 MB are free"):
        receive_into(target, io.BytesIO(header), answers)
    assert answers.getvalue() == b""


def test_room_is_made_where_there_is_too_little(
    author: Store, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation, free = Generation(author, b"one"), [1000]
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=free[0], f_frsize=4096))
    requests = io.BytesIO(generation.header() + b"".join(generation.blobs.values()))
    receive_into(target, requests, io.BytesIO(), lambda: free.append(free.pop() * 100))
    assert target.refs.get(INCOMING) == generation.artifact


def test_a_damaged_size_in_the_store_is_sent_again(author: Store, target: Store) -> None:
    generation = Generation(author, b"one", b"two")
    talk(target, generation.header() + b"".join(generation.blobs.values()))
    last: Digest = list(generation.blobs)[-1]
    target.blobs.path(last).chmod(0o644)
    target.blobs.path(last).write_bytes(b"tw")
    assert talk(target, generation.header() + generation.blobs[last])[0] == {"missing": [last]}
    assert target.blobs.read(last) == b"two"
