"""Holdfast describes Linux systems in typed Python and carries them through their whole life."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from holdfast.library import Debian as Debian
    from holdfast.library import Fetched as Fetched
    from holdfast.library import System as System
    from holdfast.library import Ubuntu as Ubuntu
    from holdfast.options import Config as Config
    from holdfast.options import Module as Module
    from holdfast.options import OptionSet as OptionSet
    from holdfast.options import after as after
    from holdfast.options import before as before
    from holdfast.options import default as default
    from holdfast.options import force as force
    from holdfast.options import implements as implements
    from holdfast.options import lazy as lazy
    from holdfast.options import option as option
    from holdfast.options import order as order
    from holdfast.options import override as override
else:
    _HOMES = {
        "holdfast.library": ("Debian", "Fetched", "System", "Ubuntu"),
        "holdfast.options": (
            *("Config", "Module", "OptionSet", "after", "before", "default", "force"),
            *("implements", "lazy", "option", "order", "override"),
        ),
    }
    _HOME = {name: home for home, names in _HOMES.items() for name in names}

    def __getattr__(name):
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(home), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted(_HOME)
