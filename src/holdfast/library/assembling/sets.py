"""Which option sets a system has without importing them: the whole library, of which only what is used costs anything.

A set's module is loaded when somebody imports the set. One that nobody has imported can neither be written nor read, so an
evaluation without it comes to the same manifest; those that other parts of the library need come with them.
"""

from __future__ import annotations

import sys
from importlib import import_module

from holdfast.options import Config, OptionSet

LIBRARY: dict[str, str] = {
    "Identity": "identity",
    "Packages": "packages",
    "Files": "files",
    "Systemd": "systemd",
    "Users": "users",
    "Tmpfiles": "tmpfiles",
    "Firewall": "firewall",
    "Host": "host",
    "Environment": "environment",
    "Sysctl": "kernel",
    "KernelModules": "kernel",
    "Ssh": "ssh",
    "Sudo": "sudo",
    "Wrappers": "wrappers",
    "AutoUpgrade": "auto_upgrade",
    "Nginx": "nginx",
    "Checks": "switching",
    "Hooks": "switching",
    "Tasks": "switching",
    "Health": "health",
}
"""Name of each set to its module of the library, in the order in which their functions run."""

CORE = ("Identity", "Packages", "Files", "Systemd", "Users", "Tmpfiles", "Firewall")
"""Sets whose options the manifest is made of; always there."""


def every_set() -> tuple[type[OptionSet], ...]:
    """All sets of the library."""
    return tuple(_load(name) for name in LIBRARY)


def sets_at_hand() -> tuple[type[OptionSet], ...]:
    """The core, and of the rest those whose module has been loaded."""
    return tuple(
        _load(name) for name, home in LIBRARY.items() if name in CORE or _module(home) in sys.modules
    )


def is_at_hand(config: Config, name: str) -> bool:
    """Whether a system has the set of the library that is called so."""
    module = sys.modules.get(_module(LIBRARY[name]))
    return module is not None and getattr(module, name) in config


def _module(home: str) -> str:
    return f"holdfast.library.{home}"


def _load(name: str) -> type[OptionSet]:
    made: type[OptionSet] = getattr(import_module(_module(LIBRARY[name])), name)
    return made
