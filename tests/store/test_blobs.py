from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.store import Store


def test_what_is_put_is_found_under_its_digest(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"from a file")
    for digest, data in (
        (store.blobs.put_bytes(b"hello"), b"hello"),
        (store.blobs.put_bytes(b""), b""),
        (store.blobs.put_file(tmp_path / "file"), b"from a file"),
    ):
        assert digest == digest_bytes(data)
        assert store.blobs.has(digest) and store.blobs.size(digest) == len(data)
        assert store.blobs.read(digest) == store.blobs.path(digest).read_bytes() == data
        with store.blobs.open(digest) as stream:
            assert stream.read() == data


def test_a_writer_shows_nothing_before_its_commit(store: Store) -> None:
    with store.blobs.writer() as writer:
        writer.write(b"he")
        writer.write(b"llo")
        assert list(store.blobs.list()) == []
        digest = writer.commit(digest_bytes(b"hello"))
    assert list(store.blobs.list()) == [digest]


def test_a_writer_that_is_left_or_fails_leaves_nothing(store: Store) -> None:
    with store.blobs.writer() as writer:
        writer.write(b"x")
    with pytest.raises(ZeroDivisionError), store.blobs.writer() as writer:
        writer.write(b"x")
        raise ZeroDivisionError
    with (
        pytest.raises(HoldfastError, match="does not have the digest") as caught,
        store.blobs.writer() as writer,
    ):
        writer.write(b"x")
        writer.commit(digest_bytes(b"y"))
    assert digest_bytes(b"y") in caught.value.details
    assert list(store.blobs.list()) == [] and list((store.root / "tmp").iterdir()) == []


def test_a_missing_blob_is_named(store: Store) -> None:
    digest = digest_bytes(b"never put")
    assert not store.blobs.has(digest)
    for look in (store.blobs.open, store.blobs.size, store.blobs.read):
        with pytest.raises(HoldfastError, match="is not in the store") as caught:
            look(digest)
        assert digest in caught.value.details and "holdfast build" in caught.value.resolution


@pytest.mark.parametrize("damage", [b"hellx", b"hell", b"hello!"])
def test_a_damaged_blob_is_not_read_and_putting_it_again_mends_it(store: Store, damage: bytes) -> None:
    digest = store.blobs.put_bytes(b"hello")
    store.blobs.path(digest).chmod(0o600)
    store.blobs.path(digest).write_bytes(damage)
    with pytest.raises(HoldfastError, match="is damaged"):
        store.blobs.read(digest)
    assert store.blobs.put_bytes(b"hello") == digest
    assert store.blobs.read(digest) == b"hello"


def test_a_file_that_cannot_be_read_is_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match=rf"cannot read {tmp_path}/nothing: No such file"):
        store.blobs.put_file(tmp_path / "nothing")


def test_only_the_owner_may_look_into_a_store(store: Store) -> None:
    store.blobs.put_bytes(b"secret")
    for name in ("", "blobs", "refs", "tables", "trees", "tmp", "leases"):
        assert os.stat(store.root / name).st_mode & 0o077 == 0  # noqa: PTH116
