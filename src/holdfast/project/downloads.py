"""Files from the web that definitions name by digest: fetched once, then kept in the store for as long as builds ask for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holdfast.base.codec import canonical_json
from holdfast.base.digests import digest_bytes
from holdfast.distro.download import Advice, Place, Wanted, fetch_all
from holdfast.manifest.contents import Download
from holdfast.store import Layer, Store

_ARTIFACT = "application/vnd.holdfast.download.v1"


def store_downloads(store: Store, downloads: Mapping[str, Iterable[Download]]) -> None:
    """Bring what the systems (by name) need from the web into the store. No network is touched for what is there.

    A cache entry keeps each file from garbage collection: unlike a package, the web may not have it a second time.

    Raises:
        HoldfastError: a file cannot be had, or what came is not what the definition says.
    """
    by_digest = {item.digest: (name, item) for name, items in downloads.items() for item in items}
    missing = {
        key: (name, item)
        for name, item in by_digest.values()
        if store.cache.get(key := _cache_key(item)) is None
    }
    fetch_all(store, [_wanted(name, item) for name, item in missing.values()], title="Fetching files")
    for key, (_, item) in missing.items():
        layer = Layer(item.digest, store.blobs.size(item.digest), "application/octet-stream")
        kept = store.put_artifact(_ARTIFACT, canonical_json({}), f"{_ARTIFACT}+json", [layer])
        store.cache.put(key, kept.manifest)


def _cache_key(item: Download) -> str:
    return digest_bytes(f"download {item.digest}".encode())


def _wanted(system: str, item: Download) -> Wanted:
    advice = Advice(
        wrong_brief="is not what the definition says",
        wrong="If the file at that URL was meant to change, look at it and write its new sha256 into the definition; "
        f"`holdfast explain {system} 'files.\"{item.wanted_as}\".source'` names the line.",
        absent="Write a URL into the definition that has the file; with the same sha256 nothing else changes.",
        unreachable="Check the network, or write another URL with the same sha256 into the definition.",
    )
    name = f"{item.wanted_as} for {system}"
    return Wanted(name, None, item.digest, (Place(item.url, "the definition"),), advice)
