"""From a manifest and a lock to an image in the store: cached steps that are functions of digests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.build.system import build_system as build_system
else:
    _PLACES = {"build_system": "system"}

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _PLACES:
            return getattr(import_module(f"holdfast.build.{_PLACES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
