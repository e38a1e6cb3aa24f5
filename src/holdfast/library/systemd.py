"""systemd: units by kind and name, and which packaged ones are masked."""

from __future__ import annotations

from holdfast.library.systemd_kinds import (
    Automount,
    Mount,
    Path,
    PlainUnit,
    Slice,
    Socket,
    Swap,
    Target,
    Timer,
)
from holdfast.library.systemd_service import Service
from holdfast.library.types import UNITS
from holdfast.options import Module, OptionSet, attrs_of, implements, option, submodule


class Systemd(OptionSet, path="systemd"):
    """Units of systemd. Names are written without their suffix: `services["hello"]` is hello.service."""

    services = option(attrs_of(submodule(Service)), doc="Services by name; `demo@` is a template.")
    timers = option(
        attrs_of(submodule(Timer)),
        doc="Timers by name. They are started at boot unless `wanted_by` says otherwise.",
    )
    sockets = option(
        attrs_of(submodule(Socket)),
        doc="Sockets by name. They are started at boot unless `wanted_by` says otherwise.",
    )
    paths = option(
        attrs_of(submodule(Path)),
        doc="Watched paths by name. They are started at boot unless `wanted_by` says otherwise.",
    )
    targets = option(attrs_of(submodule(Target)), doc="Targets by name.")
    slices = option(attrs_of(submodule(Slice)), doc="Slices by name.")
    mounts = option(
        attrs_of(submodule(Mount)), doc='Mounts by mount point: `mounts["/srv/data"].what = "LABEL=data"`.'
    )
    automounts = option(attrs_of(submodule(Automount)), doc="Automounts by mount point.")
    swaps = option(attrs_of(submodule(Swap)), doc="Swaps by the path of their device or file.")
    units = option(
        attrs_of(submodule(PlainUnit)),
        doc="Units of any kind by their full name, as text or to enable, disable or extend packaged ones.",
    )
    masked = option(UNITS, doc="Units that must not start, by full name.", example=["apt-daily.timer"])


@implements(Systemd)
def systemd(m: Module) -> None:
    """Nothing to add: the manifest carries units as text."""
