"""Files from the web, from the definition to the store, over a real web server."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from holdfast.base.digests import digest_bytes, hex_of
from holdfast.base.errors import HoldfastError
from holdfast.distro import download
from holdfast.manifest.contents import Download
from holdfast.manifest.model import BlobFile
from holdfast.project.downloads import store_downloads
from holdfast.project.evaluation import Evaluation, evaluate
from holdfast.store import Store, open_store
from tests.distro.debian.archives import Server, serve

pytestmark = pytest.mark.slow  # it starts programs or waits for them

TOOL = b"#!/bin/sh\necho held\n" * 500
DIGEST = digest_bytes(TOOL)


@pytest.fixture
def server(tmp_path: Path) -> Generator[Server]:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/tool").write_bytes(TOOL)
    with serve(tmp_path / "web") as state:
        yield state


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "store")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.001)


def evaluated(directory: Path, url: str, sha256: str = hex_of(DIGEST), more: str = "") -> Evaluation:
    (directory / "systems.py").write_text(f"""
from holdfast import Debian, Fetched, Module, System
from holdfast.library import Files

def web(m: Module) -> None:
    m[Files]["/usr/local/bin/tool"].source = Fetched("{url}", sha256="{sha256}")
    m[Files]["/usr/local/bin/tool"].mode = "0755"
    {more}

systems = [System("web", modules=[web], distro=Debian("trixie"))]
""")
    return evaluate("web", start=directory)


def bring(store: Store, evaluation: Evaluation) -> None:
    """What `build` does with downloads before it builds."""
    wanted = {
        system.name: [content for content in system.contents if isinstance(content, Download)]
        for system in evaluation.systems
    }
    store_downloads(store, wanted)


def test_evaluation_names_the_file_and_fetches_nothing(tmp_path: Path, server: Server) -> None:
    (system,) = evaluated(tmp_path, f"{server.url}/tool").systems
    assert system.manifest.files["/usr/local/bin/tool"] == BlobFile(DIGEST, "0755")
    assert system.contents == (Download(DIGEST, f"{server.url}/tool", "/usr/local/bin/tool"),)
    assert server.requests == []


def test_another_url_for_the_same_bytes_is_the_same_manifest(tmp_path: Path) -> None:
    here, there = (
        evaluated(tmp_path, url, sha256).only().digest
        for url, sha256 in (
            ("https://a.example.org/tool", hex_of(DIGEST)),
            ("http://b.example.org/x?y=z", f"sha256:{hex_of(DIGEST).upper()}"),
        )
    )
    assert here == there


def test_it_is_fetched_once_and_then_needs_no_server(tmp_path: Path, store: Store, server: Server) -> None:
    evaluation = evaluated(tmp_path, f"{server.url}/tool")
    bring(store, evaluation)
    assert store.blobs.read(DIGEST) == TOOL
    bring(store, evaluation)
    assert server.requests == ["/tool"]
    bring(store, evaluated(tmp_path, "http://127.0.0.1:9/elsewhere"))


def test_garbage_collection_leaves_it(tmp_path: Path, store: Store, server: Server) -> None:
    """The web may not have it a second time."""
    evaluation = evaluated(tmp_path, f"{server.url}/tool")
    bring(store, evaluation)
    store.close()
    later = open_store(tmp_path / "store")
    later.gc()
    bring(later, evaluation)
    assert server.requests == ["/tool"]
    later.close()
    last = open_store(tmp_path / "store")
    last.gc(all_cache=True)
    assert not last.blobs.has(DIGEST)


def test_one_that_is_in_the_store_anyhow_is_not_fetched(tmp_path: Path, store: Store, server: Server) -> None:
    store.blobs.put_bytes(TOOL)
    bring(store, evaluated(tmp_path, f"{server.url}/tool"))
    assert server.requests == []


def test_an_author_s_file_with_the_same_content_is_nearer(tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(TOOL)
    for path in ("/a", "/z"):  # before and after the fetched one
        evaluation = evaluated(
            tmp_path, "https://example.org/tool", more=f'm[Files]["{path}"].source = "copy"'
        )
        assert [content.kind for content in evaluation.only().contents] == ["file"]


def test_a_broken_transfer_goes_on_where_it_stopped(tmp_path: Path, store: Store, server: Server) -> None:
    def once_cut(path: str, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes] | None:
        return None if byte_range else (200, {"Content-Length": str(len(TOOL))}, TOOL[:4000])

    server.answer = once_cut
    bring(store, evaluated(tmp_path, f"{server.url}/tool"))
    assert store.blobs.read(DIGEST) == TOOL
    assert server.ranges == ["bytes=4000-"]


def test_a_redirection_is_followed(tmp_path: Path, store: Store, server: Server) -> None:
    def moved(path: str, byte_range: str | None) -> tuple[int, Mapping[str, str], bytes] | None:
        return (302, {"Location": "/tool"}, b"") if path == "/latest" else None

    server.answer = moved
    bring(store, evaluated(tmp_path, f"{server.url}/latest"))
    assert store.blobs.read(DIGEST) == TOOL


def test_other_content_is_refused_and_the_message_has_all_to_decide(
    tmp_path: Path, store: Store, server: Server
) -> None:
    (tmp_path / "web/tool").write_bytes(b"evil")
    with pytest.raises(HoldfastError) as caught:
        bring(store, evaluated(tmp_path, f"{server.url}/tool"))
    assert caught.value.brief == "/usr/local/bin/tool for web is not what the definition says"
    assert f"expected {DIGEST}" in caught.value.details
    assert f"got      {digest_bytes(b'evil')}" in caught.value.details
    assert f"{server.url}/tool" in caught.value.details
    assert "write its new sha256 into the definition" in caught.value.resolution
    assert """`holdfast explain web 'files."/usr/local/bin/tool".source'`""" in caught.value.resolution
    assert list(store.blobs.list()) == []
    assert list(store.cache.keys()) == []


def test_a_server_that_is_down(tmp_path: Path, store: Store) -> None:
    with pytest.raises(HoldfastError) as caught:
        bring(store, evaluated(tmp_path, "http://127.0.0.1:9/tool"))
    assert caught.value.brief.startswith(
        "cannot fetch /usr/local/bin/tool for web: http://127.0.0.1:9/tool cannot be reached"
    )
    assert "write another URL with the same sha256" in caught.value.resolution


def test_a_file_that_is_gone(tmp_path: Path, store: Store, server: Server) -> None:
    with pytest.raises(HoldfastError, match="no server has it any more") as caught:
        bring(store, evaluated(tmp_path, f"{server.url}/gone"))
    assert f"{server.url}/gone does not exist (HTTP status 404)" in caught.value.details
    assert "with the same sha256 nothing else changes" in caught.value.resolution
