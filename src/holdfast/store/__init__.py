"""Content-addressed artifacts in OCI image layout: blobs, refs, layers, unpacked trees, cache entries, gc, verify, export."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.store.artifacts import Artifact as Artifact
    from holdfast.store.artifacts import ImageConfig as ImageConfig
    from holdfast.store.artifacts import Layer as Layer
    from holdfast.store.collect import GcReport as GcReport
    from holdfast.store.store import Store as Store
    from holdfast.store.store import open_store as open_store
    from holdfast.store.store import store_path as store_path
    from holdfast.store.table import Entry as Entry
    from holdfast.store.table import Table as Table
    from holdfast.store.table import compare_tables as compare_tables
    from holdfast.store.verify import VerifyReport as VerifyReport
else:
    _PLACES = {
        "Artifact": "artifacts",
        "ImageConfig": "artifacts",
        "Layer": "artifacts",
        "GcReport": "collect",
        "Store": "store",
        "open_store": "store",
        "store_path": "store",
        "Entry": "table",
        "Table": "table",
        "compare_tables": "table",
        "VerifyReport": "verify",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _PLACES:
            return getattr(import_module(f"holdfast.store.{_PLACES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
