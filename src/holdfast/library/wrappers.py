"""Security wrappers: copies of the distribution's programs that run with more rights than whoever starts them."""

from __future__ import annotations

from holdfast.library.environment import Environment
from holdfast.library.packages import Packages
from holdfast.library.systemd import Systemd
from holdfast.library.types import ABSOLUTE_PATH, ACCOUNT, MODE, Checked, Distinct
from holdfast.options import (
    BOOL,
    Config,
    KeyedSet,
    Module,
    OptionSet,
    before,
    entry_name,
    implements,
    lazy,
    null_or,
    option,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from holdfast.library.systemd_service import Service

PLACE = "/run/wrappers"
BIN = f"{PLACE}/bin"


def check_capability(name: str) -> str:
    """``name`` when it can be a capability of capabilities(7).

    Raises:
        ValueError: it cannot.
    """
    if not (name.startswith("cap_") and name.isidentifier() and name.islower()):
        raise ValueError(
            f"{name!r} is not a capability, such as cap_net_raw: write its name alone, in lower case"
        )
    return name


CAPABILITIES = Distinct(Checked("a capability", check_capability))


class Wrapper(OptionSet, path=""):
    """One program with rights of its own. Set at least one of `setuid`, `setgid` and `capabilities`."""

    name = entry_name(doc=f"Name of the program in {BIN}.")
    enable = option(BOOL, default=True, doc="False leaves it out.")
    source = option(
        null_or(ABSOLUTE_PATH),
        default_text="/usr/bin/NAME",
        doc="The program itself, on the machine. It is copied at boot, and again when a package brings a new one; a script cannot "
        "be wrapped, since the kernel gives scripts no rights.",
        example="/usr/bin/ping",
    )
    owner = option(ACCOUNT, default="root", doc="Owner: whom `setuid` lets it run as.")
    group = option(ACCOUNT, default="root", doc="Group: which `setgid` lets it run with.")
    setuid = option(BOOL, default=False, doc="Run as the owner.")
    setgid = option(BOOL, default=False, doc="Run with the group.")
    capabilities = option(
        CAPABILITIES,
        doc="Rights it has by itself, see capabilities(7); installs `libcap2-bin`.",
        example=["cap_net_raw"],
    )
    mode = option(
        MODE,
        default="0755",
        doc="Permissions, four octal digits of which the first is 0: who may start it. `setuid` and `setgid` are added.",
        example="0750",
    )


class Wrappers(KeyedSet[Wrapper], path="wrappers"):
    """Programs with setuid, setgid or capabilities, in /run/wrappers/bin: what packages install is left as it is.

    They are made anew at every boot, and shells find them before all others.
    """


@implements(Wrappers)
def wrappers(m: Module) -> None:
    """A small file system that allows setuid, filled at boot by a service, and again when a source changes."""
    with m.when(lambda c: any(one.enable for one in c[Wrappers].values())):
        mount = m[Systemd].mounts[PLACE]
        mount.description = "Programs with rights of their own"
        mount.what = "tmpfs"
        mount.fs_type = "tmpfs"
        mount.options = ["nodev", "mode=755", "size=25%"]
        fill = m[Systemd].services["holdfast-wrappers"]
        fill.description = "Make programs with rights of their own"
        _early(fill)
        fill.type = "oneshot"
        fill.remain_after_exit = True
        fill.requires_mounts_for = [PLACE]
        fill.script = lazy(_script)
        fill.wanted_by = ["sysinit.target"]
        watch = m[Systemd].paths["holdfast-wrappers"]
        watch.description = "New versions of programs that have wrappers"
        watch.path_changed = lazy(_sources)
        watch.unit = "holdfast-wrappers-renew.service"
        renew = m[Systemd].services["holdfast-wrappers-renew"]
        renew.description = "Make programs with rights of their own from their new versions"
        renew.type = "oneshot"
        renew.exec_start = ["/usr/bin/systemctl", "try-restart", "holdfast-wrappers.service"]
        m[Environment].path_prepend = before([BIN])
    with m.when(lambda c: any(one.enable and one.capabilities for one in c[Wrappers].values())):
        m[Packages].install = ["libcap2-bin"]


def _early(unit: Service) -> None:
    unit.default_dependencies = False
    unit.after = ["local-fs.target", "systemd-sysusers.service"]
    unit.before = ["sysinit.target", "shutdown.target"]
    unit.conflicts = ["shutdown.target"]


def _script(c: Config) -> str:
    from holdfast.library.assembling.wrappers import wrappers_script

    return wrappers_script(c)


def _sources(c: Config) -> list[str]:
    return sorted({source_of(one) for one in c[Wrappers].values() if one.enable})


def source_of(wrapper: Wrapper) -> str:
    """The program that is copied."""
    return wrapper.source or f"/usr/bin/{wrapper.name}"
