"""The kernel: its parameters, and which modules it loads with which settings."""

from __future__ import annotations

from holdfast.library.files import Files
from holdfast.library.rendering.kernel import check_module
from holdfast.library.types import SCALAR, Checked, Distinct
from holdfast.options import (
    LINES,
    Config,
    Module,
    OptionSet,
    ValueSet,
    attrs_of,
    implements,
    lazy,
    null_or,
    option,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from holdfast.options import Type

    Parameter = Union[bool, int, str, None]

SYSCTL = "/etc/sysctl.d/60-holdfast.conf"
LOAD = "/etc/modules-load.d/holdfast.conf"
MODPROBE = "/etc/modprobe.d/holdfast.conf"

MODULES = Distinct(Checked("a kernel module", check_module))
PARAMETER: Type[Parameter, Parameter] = null_or(SCALAR)


class Sysctl(ValueSet["Parameter", "Parameter"], of=PARAMETER, path="sysctl"):
    """Kernel parameters by dotted name, see sysctl.d(5): `m[Sysctl]["net.ipv4.ip_forward"] = True`.

    A dot inside a name, as in those of some interfaces, is written `/`. True and False are 1 and 0; None leaves a parameter
    out. They are set at a switch and at every boot; what a parameter was before comes back when it is no longer declared.
    """


class KernelModules(OptionSet, path="kernel-modules"):
    """Kernel modules, see modules-load.d(5) and modprobe.d(5)."""

    load = option(MODULES, doc="Modules to load, at a switch and at every boot.", example=["br_netfilter"])
    blacklist = option(
        MODULES,
        doc="Modules that are not loaded for hardware that is found. One that is loaded already stays until the next boot.",
        example=["nouveau"],
    )
    options = option(
        attrs_of(attrs_of(SCALAR)),
        doc="Parameters of modules, from the next time they are loaded.",
        example={"kvm_intel": {"nested": True}},
    )
    extra_config = option(
        LINES,
        default="",
        doc="Further lines of modprobe.d(5).",
        example="install dccp /bin/false\n",
    )


@implements(Sysctl)
def sysctl(m: Module) -> None:
    """Writes the file that systemd-sysctl reads at boot."""
    with m.when(lambda c: any(value is not None for value in c[Sysctl].values())):
        m[Files][SYSCTL].text = lazy(_sysctl_text)


@implements(KernelModules)
def kernel_modules(m: Module) -> None:
    """Writes the files that systemd-modules-load and modprobe read."""
    with m.when(lambda c: len(c[KernelModules].load) > 0):
        m[Files][LOAD].text = lazy(lambda c: "".join(f"{name}\n" for name in sorted(c[KernelModules].load)))
    with m.when(_has_settings):
        m[Files][MODPROBE].text = lazy(_modprobe_text)


def _has_settings(c: Config) -> bool:
    mine = c[KernelModules]
    return len(mine.blacklist) > 0 or len(mine.options) > 0 or mine.extra_config.strip() != ""


def _sysctl_text(c: Config) -> str:
    from holdfast.library.assembling.kernel import parameters
    from holdfast.library.assembling.problems import Problems
    from holdfast.library.rendering.kernel import render_sysctl

    return render_sysctl(parameters(c, Problems(c)))  # its problems are told with the system's


def _modprobe_text(c: Config) -> str:
    from holdfast.library.assembling.kernel import modprobe_text

    return modprobe_text(c)
