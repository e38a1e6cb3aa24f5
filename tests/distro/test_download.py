from __future__ import annotations

import errno
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.events import Event as ProgressEvent
from holdfast.base.events import StageAdvanced, listen
from holdfast.distro import download
from holdfast.distro.download import Downloader, NotThereError, Place, UnreachableError, Wanted, fetch_all
from holdfast.store import Store
from tests.distro.debian.archives import Server, serve

pytestmark = pytest.mark.slow  # it starts programs or waits for them

CONTENT = b"0123456789" * 1000


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/a.deb").write_bytes(CONTENT)
    with serve(tmp_path / "mirror") as state:
        yield state


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.001)


def wanted(*urls: str, content: bytes = CONTENT) -> Wanted:
    places = tuple(Place(url, f"origin {number}") for number, url in enumerate(urls))
    return Wanted("the package a 1.0", len(content), digest_bytes(content), places)


def test_files_land_in_the_store_with_progress_in_bytes(store: Store, server: Server) -> None:
    seen: list[ProgressEvent] = []
    with listen(seen.append):
        fetch_all(store, [wanted(f"{server.url}/a.deb")], title="Fetching")
    assert store.blobs.read(digest_bytes(CONTENT)) == CONTENT
    assert [event.done for event in seen if isinstance(event, StageAdvanced)][-1] == len(CONTENT)


def test_what_is_there_is_not_asked_for(store: Store, server: Server) -> None:
    store.blobs.put_bytes(CONTENT)
    fetch_all(store, [wanted(f"{server.url}/a.deb")], title="Fetching")
    assert server.requests == []


def test_a_broken_transfer_goes_on_where_it_stopped(store: Store, server: Server) -> None:
    def once_cut(path: str, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes] | None:
        if byte_range is None:
            return 200, {"Content-Length": str(len(CONTENT))}, CONTENT[:4000]
        return None

    server.answer = once_cut
    fetch_all(store, [wanted(f"{server.url}/a.deb")], title="Fetching")
    assert store.blobs.read(digest_bytes(CONTENT)) == CONTENT
    assert server.ranges == ["bytes=4000-"]


def test_a_server_without_ranges_may_begin_again(store: Store, server: Server) -> None:
    def no_ranges(path: str, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes] | None:
        return 200, {"Content-Length": str(len(CONTENT))}, CONTENT if byte_range else CONTENT[:4000]

    server.answer = no_ranges
    fetch_all(store, [wanted(f"{server.url}/a.deb")], title="Fetching")
    assert store.blobs.read(digest_bytes(CONTENT)) == CONTENT


def test_a_file_gone_from_the_mirror_comes_from_the_next_place(store: Store, server: Server) -> None:
    fetch_all(store, [wanted(f"{server.url}/gone.deb", f"{server.url}/a.deb")], title="Fetching")
    assert server.requests == ["/gone.deb", "/a.deb"]
    assert store.blobs.has(digest_bytes(CONTENT))


def test_a_file_that_nobody_has_names_every_place(store: Store, server: Server) -> None:
    with pytest.raises(HoldfastError) as caught:
        fetch_all(store, [wanted(f"{server.url}/x", f"{server.url}/y")], title="Fetching")
    assert caught.value.brief == "cannot fetch the package a 1.0: no server has it any more"
    assert f"{server.url}/x does not exist (HTTP status 404) (origin 0)" in caught.value.details
    assert f"{server.url}/y does not exist" in caught.value.details
    assert "lock --update" in caught.value.resolution


def test_a_mirror_that_is_down_names_who_chose_it(store: Store) -> None:
    with pytest.raises(HoldfastError) as caught:
        fetch_all(store, [wanted("http://127.0.0.1:9/a.deb")], title="Fetching")
    assert "http://127.0.0.1:9/a.deb cannot be reached" in caught.value.brief
    assert "Connection refused" in caught.value.brief
    assert caught.value.details == "That server was chosen by origin 0."
    assert "choose another mirror" in caught.value.resolution


def test_a_mirror_that_is_down_is_not_taken_for_one_without_the_file(store: Store, server: Server) -> None:
    with pytest.raises(HoldfastError, match="cannot be reached"):
        fetch_all(store, [wanted("http://127.0.0.1:9/a.deb", f"{server.url}/a.deb")], title="Fetching")
    assert server.requests == []


def test_a_wrong_hash_names_package_hashes_and_mirror(store: Store, server: Server) -> None:
    expected = b"x" * len(CONTENT)
    with pytest.raises(HoldfastError) as caught:
        fetch_all(store, [wanted(f"{server.url}/a.deb", content=expected)], title="Fetching")
    assert caught.value.brief == "the package a 1.0 from the mirror is not what the lock says"
    assert f"expected {digest_bytes(expected)}" in caught.value.details
    assert f"got      {digest_bytes(CONTENT)}" in caught.value.details
    assert f"from     {server.url}/a.deb (origin 0)" in caught.value.details
    assert not store.blobs.has(digest_bytes(expected))
    assert not store.blobs.has(digest_bytes(CONTENT))


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_wrong_size_is_refused(store: Store, server: Server, size: int) -> None:
    item = Wanted("a", size, digest_bytes(CONTENT), (Place(f"{server.url}/a.deb", "me"),))
    with pytest.raises(HoldfastError, match="is not what the lock says") as caught:
        fetch_all(store, [item], title="Fetching")
    assert f"expected {size} bytes" in caught.value.details
    assert not store.blobs.has(digest_bytes(CONTENT))


def test_the_rest_stops_after_the_first_failure(store: Store, server: Server) -> None:
    def fail_big(path: str, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes] | None:
        return (404, {}, b"") if path == "/big" else None

    server.answer = fail_big
    many = [wanted(f"{server.url}/{number}") for number in range(200)]
    big = Wanted("big", 1 << 40, digest_bytes(b"?"), (Place(f"{server.url}/big", "me"),))
    with pytest.raises(HoldfastError):
        fetch_all(store, [big, *many], title="Fetching")
    assert len(server.requests) < 100


def test_files_may_come_from_a_directory(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a b.deb").write_bytes(CONTENT)
    fetch_all(store, [wanted(f"file://{tmp_path}/a%20b.deb")], title="Fetching")
    assert store.blobs.has(digest_bytes(CONTENT))
    with pytest.raises(NotThereError):
        Downloader().read(f"file://{tmp_path}/none", limit=10)


def test_an_endless_index_is_cut_off(server: Server) -> None:
    with pytest.raises(UnreachableError, match="is larger than 100 bytes"):
        Downloader().read(f"{server.url}/a.deb", limit=100)


def test_a_full_disk_is_told_as_such(store: Store, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("holdfast.store.blobs.os.write", full)
    with pytest.raises(HoldfastError, match="No space left on device") as caught:
        fetch_all(store, [wanted(f"{server.url}/a.deb")], title="Fetching")
    assert "Free some space" in caught.value.resolution


@pytest.mark.parametrize(
    ("url", "environment", "proxy"),
    [
        ("http://a.example/x", {}, None),
        ("http://a.example/x", {"http_proxy": "http://p:1"}, "http://p:1"),
        ("https://a.example/x", {"http_proxy": "http://p:1"}, "http://apt:3142"),
        ("http://a.example/x", {"http_proxy": "http://p:1", "no_proxy": ".example"}, None),
        ("http://a.example/x", {"http_proxy": "http://p:1", "no_proxy": "other,*"}, None),
        ("http://a.example/x", {"HTTP_PROXY": "http://p:2", "no_proxy": "ample"}, "http://p:2"),
    ],
)
def test_proxies(
    url: str, environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert download._proxy_for(url, {"https": "http://apt:3142"}) == proxy
