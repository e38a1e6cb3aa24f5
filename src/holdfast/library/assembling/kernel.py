"""From the options of the kernel to the manifest's parameters and modules."""

from __future__ import annotations

from holdfast.library.assembling.problems import Problems
from holdfast.library.kernel import KernelModules, Sysctl
from holdfast.library.rendering.kernel import (
    check_sysctl_name,
    plain_value,
    render_modprobe,
    same_module,
)
from holdfast.options import Config


def parameters(c: Config, problems: Problems) -> dict[str, str]:
    """Kernel parameters as the kernel reads them, by name."""
    made: dict[str, str] = {}
    for name, value in c[Sysctl].items():
        if value is not None:
            with problems.at("sysctl", name):
                made[check_sysctl_name(name)] = plain_value(value)
    return made


def modules(c: Config, problems: Problems) -> tuple[str, ...]:
    """Modules to load, by name."""
    mine = c[KernelModules]
    refused = {same_module(name) for name in mine.blacklist}
    for name in sorted(mine.load):
        if same_module(name) in refused:
            problems.add(
                f"{name} is to be loaded and is blacklisted; drop one of the two.",
                "kernel-modules",
                "blacklist",
            )
    return tuple(sorted(mine.load))


def modprobe_text(c: Config) -> str:
    """The file for modprobe.

    Raises:
        HoldfastError: what modprobe could not read, with its place.
    """
    mine = c[KernelModules]
    problems = Problems(c)
    for module, options in mine.options.items():
        with problems.at("kernel-modules", "options", module):
            render_modprobe((), {module: options})
    problems.raise_any("the settings of kernel modules")
    return render_modprobe(mine.blacklist, mine.options, mine.extra_config)
