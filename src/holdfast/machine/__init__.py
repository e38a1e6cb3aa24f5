"""Running systems: booting artifacts in containers, and one set of verbs to use, wait for and examine them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.machine.machine import Machine as Machine
    from holdfast.machine.nspawn import Settings as Settings
    from holdfast.machine.nspawn import boot as boot
    from holdfast.machine.nspawn import boot_layers as boot_layers
    from holdfast.machine.results import HttpResponse as HttpResponse
    from holdfast.machine.results import Shutdown as Shutdown
    from holdfast.machine.results import Unit as Unit
    from holdfast.machine.waiting import NotInTime as NotInTime
else:
    _PLACES = {
        "Machine": "machine",
        "Settings": "nspawn",
        "boot": "nspawn",
        "boot_layers": "nspawn",
        "HttpResponse": "results",
        "Shutdown": "results",
        "Unit": "results",
        "NotInTime": "waiting",
    }

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in _PLACES:
            return getattr(import_module(f"holdfast.machine.{_PLACES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
