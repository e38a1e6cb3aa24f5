"""Entering a root file system: namespaces, overlays, and the tools tree as a place to run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.sandbox.entry import Inside as Inside
    from holdfast.sandbox.entry import attach as attach
    from holdfast.sandbox.entry import enter as enter
    from holdfast.sandbox.entry import run as run
    from holdfast.sandbox.entry import stream as stream
    from holdfast.sandbox.merged import overlay as overlay
    from holdfast.sandbox.root import Bind as Bind
    from holdfast.sandbox.root import Root as Root
    from holdfast.sandbox.root import Sandbox as Sandbox
    from holdfast.sandbox.root import Scratch as Scratch
    from holdfast.sandbox.tools import ToolsTree as ToolsTree
else:
    _HOMES = {
        **dict.fromkeys(("Inside", "attach", "enter", "run", "stream"), "entry"),
        **dict.fromkeys(("Bind", "Root", "Sandbox", "Scratch"), "root"),
        "overlay": "merged",
        "ToolsTree": "tools",
    }

    def __getattr__(name):
        from importlib import import_module

        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
