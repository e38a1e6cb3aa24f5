"""Signed indexes from a web server: what is trusted, and what the refusals say."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event, Message, listen
from holdfast.distro import download
from holdfast.distro.debian import mirrors
from holdfast.distro.debian.indexes import fetch_indexes, parse_release
from holdfast.distro.debian.signature import dearmour, signed_content
from holdfast.manifest.model import Distribution, Source
from holdfast.store import Store
from tests.distro.debian.archives import Repository, Server, Signer

pytestmark = pytest.mark.slow  # it starts programs or waits for them

TRIXIE = Distribution("debian", "trixie", "amd64")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.001)
    monkeypatch.setattr(mirrors, "_machine_settings", dict)


def refusal(store: Store, source: Source) -> HoldfastError:
    with pytest.raises(HoldfastError) as caught:
        fetch_indexes(store, TRIXIE, (source,))
    return caught.value


def test_a_signed_index_becomes_blobs(store: Store, repository: Repository, server: Server) -> None:
    repository.offer("hello")
    repository.publish()
    (found,) = fetch_indexes(store, TRIXIE, (repository.source(server.url),))
    assert (found.archive, found.suite, found.date) == ("test", "stable", int(repository.date))
    assert store.blobs.read(found.indexes["main"]).startswith(b"Package: hello\n")
    assert store.blobs.read(found.release) == (repository.root / "dists/stable/InRelease").read_bytes()


def test_an_index_that_is_there_is_not_fetched_again(
    store: Store, repository: Repository, server: Server
) -> None:
    repository.offer("hello")
    repository.publish()
    for _ in range(2):
        fetch_indexes(store, TRIXIE, (repository.source(server.url),))
    assert [path.rpartition("/")[2] for path in server.requests] == ["InRelease", "Packages.xz", "InRelease"]


def test_a_changed_index_is_refused(store: Store, repository: Repository, server: Server) -> None:
    repository.offer("hello")
    repository.publish()
    index = repository.root / "dists/stable/main/binary-amd64/Packages.xz"
    index.write_bytes(index.read_bytes()[:-1] + b"?")
    error = refusal(store, repository.source(server.url))
    assert "Packages.xz is not the file that its signed index names" in error.brief
    assert "The mirror was chosen by the definition." in error.details


def test_a_changed_release_file_is_refused(store: Store, repository: Repository, server: Server) -> None:
    repository.publish()
    release = repository.root / "dists/stable/InRelease"
    release.write_bytes(release.read_bytes().replace(b"Origin: Test", b"Origin: Evil"))
    error = refusal(store, repository.source(server.url))
    assert error.brief.endswith("/InRelease is not what was signed: the signature is bad")
    assert "BAD signature" in error.details


def test_text_outside_the_signature_is_not_believed(signer: Signer) -> None:
    signed = signer.sign("Origin: Test\n")
    assert signed_content(signed, key=signer.armoured, what="x").strip() == "Origin: Test"
    with_more = signed_content(b"Origin: Evil\n" + signed, key=signer.armoured, what="x")
    assert "Evil" not in with_more


def test_an_unknown_key_is_refused(store: Store, repository: Repository, server: Server) -> None:
    repository.publish()
    error = refusal(store, repository.source(server.url, key=None))
    assert error.brief.endswith("is signed by a key that is not trusted here")
    assert "debian-archive-keyring" in error.resolution


def test_no_signature_is_refused(store: Store, repository: Repository, server: Server) -> None:
    repository.publish()
    (repository.root / "dists/stable/InRelease").write_text("Suite: stable\n")
    assert refusal(store, repository.source(server.url)).brief.endswith("/InRelease has no signature")


@pytest.mark.parametrize(
    "key", ["", "no key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!\n-----END PGP PUBLIC KEY BLOCK-----"]
)
def test_a_key_that_is_none_is_told_as_such(key: str) -> None:
    with pytest.raises(HoldfastError, match="the key of my repository is"):
        dearmour(key, what="my repository")


def test_an_expired_index_is_refused_unless_the_source_allows_it(
    store: Store, repository: Repository, server: Server
) -> None:
    repository.release["Valid-Until"] = formatdate(time.time() - 60, usegmt=True)
    repository.publish()
    error = refusal(store, repository.source(server.url))
    assert "/InRelease expired on " in error.brief
    assert "check_valid_until=False" in error.resolution
    assert fetch_indexes(store, TRIXIE, (repository.source(server.url, check_valid_until=False),))


def test_the_machines_apt_may_allow_an_expired_index(
    store: Store, repository: Repository, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.release["Valid-Until"] = formatdate(time.time() - 60, usegmt=True)
    repository.publish()
    monkeypatch.setattr(
        "holdfast.distro.debian.indexes.choose_mirror",
        lambda source, distribution: mirrors.Mirror(server.url, "this machine's x", expired_is_fine=True),
    )
    events: list[Event] = []
    with listen(events.append):
        fetch_indexes(store, TRIXIE, (repository.source(server.url),))
    (warning,) = [event for event in events if isinstance(event, Message)]
    assert warning.level == "warning" and "expired on" in warning.text


def test_an_index_from_the_future_is_a_warning(store: Store, repository: Repository, server: Server) -> None:
    repository.date = time.time() + 2 * 86400
    repository.publish()
    events: list[Event] = []
    with listen(events.append):
        fetch_indexes(store, TRIXIE, (repository.source(server.url),))
    assert [event.level for event in events if isinstance(event, Message)] == ["warning"]


def test_another_suites_index_is_refused(store: Store, repository: Repository, server: Server) -> None:
    repository.release |= {"Suite": "oldstable", "Codename": "bookworm"}
    repository.publish()
    error = refusal(store, repository.source(server.url))
    assert error.brief.endswith("is for the suite 'bookworm', not 'stable'")


def test_an_unknown_suite_names_mirror_and_who_chose_it(
    store: Store, repository: Repository, server: Server
) -> None:
    repository.publish()
    error = refusal(store, replace(repository.source(server.url), suite="stabel"))
    assert error.brief == f"the mirror {server.url} has no suite 'stabel'"
    assert "The mirror was chosen by the definition." in error.details
    assert "HOLDFAST_MIRROR_TEST" in error.resolution


def test_an_unknown_component_names_those_there_are(
    store: Store, repository: Repository, server: Server
) -> None:
    repository.publish()
    error = refusal(store, replace(repository.source(server.url), components=("contrib",)))
    assert "has no component 'contrib'" in error.brief
    assert error.resolution == "It has: main."


def test_a_mirror_that_is_down_names_source_and_choice(store: Store, repository: Repository) -> None:
    error = refusal(store, repository.source("http://127.0.0.1:9"))
    assert "cannot fetch the suite 'stable' of the archive 'test'" in error.brief
    assert "Connection refused" in error.brief
    assert "The mirror was chosen by the definition." in error.details
    assert "Check the network and that mirror." in error.resolution


def test_by_hash_is_used_where_it_is_offered(store: Store, repository: Repository, server: Server) -> None:
    repository.release["Acquire-By-Hash"] = "yes"
    repository.publish()
    index = (repository.root / "dists/stable/main/binary-amd64/Packages.xz").read_bytes()

    def answer(path: str, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes] | None:
        return (200, {}, index) if "/by-hash/SHA256/" in path else None

    server.answer = answer
    fetch_indexes(store, TRIXIE, (repository.source(server.url),))
    assert "/dists/stable/main/binary-amd64/by-hash/SHA256/" in server.requests[1]


def test_a_flat_repository_in_a_directory(store: Store, repository: Repository, tmp_path: Path) -> None:
    repository.root.mkdir()
    repository.offer("hello")
    repository.publish()
    flat = tmp_path / "flat"
    flat.mkdir()
    index = "\n".join(repository.stanzas)
    (flat / "Packages").write_text(index)
    import hashlib

    text = f"Date: {formatdate(repository.date)}\nSHA256:\n {hashlib.sha256(index.encode()).hexdigest()} {len(index)} Packages\n"
    (flat / "InRelease").write_bytes(repository.signer.sign(text))
    source = Source("local", "./", (), mirror=f"file://{flat}", key=repository.signer.armoured)
    (found,) = fetch_indexes(store, TRIXIE, (source,))
    assert store.blobs.read(found.indexes[""]) == index.encode()


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("Suite: x\n", "date"),
        ("Date: Sat, 11 Jul 2026 10:16:37 UTC\n", "SHA-256 sums"),
        ("Date: soon\n", "date"),
    ],
)
def test_a_release_file_needs_a_date_and_sums(text: str, lacks: str) -> None:
    with pytest.raises(HoldfastError, match=f"it has no {lacks}"):
        parse_release(text, what="x")


@pytest.mark.parametrize("zone", ["UTC", "GMT", "+0000", "-0000", ""])
def test_a_date_means_the_same_wherever_this_machine_is(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"Date: Sat, 11 Jul 2026 10:16:37 {zone}\nSHA256:\n {'0' * 64} 1 Packages\n"
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert parse_release(text, what="x").date == 1783764997
    finally:
        monkeypatch.undo()
        time.tzset()
