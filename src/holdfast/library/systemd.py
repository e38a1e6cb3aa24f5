"""systemd: units by kind and name, and which packaged ones are masked."""

from __future__ import annotations

from holdfast.library.files import File, Files
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
from holdfast.library.types import ABSOLUTE_PATH, UNITS
from holdfast.options import (
    Config,
    Module,
    OptionSet,
    attrs_of,
    implements,
    lazy,
    null_or,
    option,
    submodule,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from holdfast.options.attrs import Attrs

GENERATORS = "/etc/systemd/system-generators"
SHUTDOWN = "/etc/systemd/system-shutdown"


class Units(OptionSet, path=""):
    """The kinds of units that the system's manager and those of users both know."""

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
    units = option(
        attrs_of(submodule(PlainUnit)),
        doc="Units of any kind by their full name, as text or to enable, disable or extend packaged ones.",
    )
    masked = option(UNITS, doc="Units that must not start, by full name.", example=["apt-daily.timer"])


class UserUnits(Units, path=""):
    """Units of each user's own manager: they are there for every user, see user@.service(5)."""


class Systemd(Units, path="systemd"):
    """Units of systemd. Names are written without their suffix: `services["hello"]` is hello.service."""

    mounts = option(
        attrs_of(submodule(Mount)), doc='Mounts by mount point: `mounts["/srv/data"].what = "LABEL=data"`.'
    )
    automounts = option(attrs_of(submodule(Automount)), doc="Automounts by mount point.")
    swaps = option(attrs_of(submodule(Swap)), doc="Swaps by the path of their device or file.")
    user = option(
        submodule(UserUnits),
        doc="Units that run for each user, as that user, while somebody is logged in or for a user with `linger`: "
        '`user.services["sync"]`, with `wanted_by = ["default.target"]` where a login is to start it. A switch changes those '
        "that run; what fails there is told, and does not fail the switch.",
    )
    generators = option(
        attrs_of(null_or(ABSOLUTE_PATH)),
        doc="Programs that make units at boot and at each reload of systemd, by name, see systemd.generator(7): each is linked in "
        "/etc/systemd/system-generators. None switches a packaged one off.",
        example={"systemd-gpt-auto-generator": None},
    )
    shutdown = option(
        attrs_of(null_or(ABSOLUTE_PATH)),
        doc="Programs that run at the very end of a shutdown, by name, see systemd-shutdown(8): each is linked in "
        "/etc/systemd/system-shutdown.",
        example={"eject": "/usr/local/sbin/eject-disk"},
    )


@implements(Systemd)
def systemd(m: Module) -> None:
    """Links generators and shutdown programs; the manifest carries units as text."""
    m[Files].each(_linked, _link)


def _programs(c: Config, directory: str) -> Attrs[str | None, str | None]:
    return c[Systemd].generators if directory == GENERATORS else c[Systemd].shutdown


def _linked(c: Config) -> list[str]:
    return [f"{place}/{name}" for place in (GENERATORS, SHUTDOWN) for name in _programs(c, place)]


def _link(file: File, path: str) -> None:
    directory = GENERATORS if path.startswith(f"{GENERATORS}/") else SHUTDOWN
    name = path[len(directory) + 1 :]
    file.link = lazy(lambda c: _programs(c, directory)[name] or "/dev/null")
