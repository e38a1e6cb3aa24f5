"""The library: option sets for what a Linux system is made of, and the function from them to a manifest."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from holdfast.library.assembling.manifest import Evaluated as Evaluated
    from holdfast.library.assembling.manifest import evaluate_system as evaluate_system
    from holdfast.library.assembling.manifest import resolve as resolve
    from holdfast.library.auto_upgrade import AutoUpgrade as AutoUpgrade
    from holdfast.library.environment import Environment as Environment
    from holdfast.library.fetched import Fetched as Fetched
    from holdfast.library.files import Files as Files
    from holdfast.library.firewall import Firewall as Firewall
    from holdfast.library.health import Health as Health
    from holdfast.library.host import Host as Host
    from holdfast.library.identity import Identity as Identity
    from holdfast.library.kernel import KernelModules as KernelModules
    from holdfast.library.kernel import Sysctl as Sysctl
    from holdfast.library.nginx import Nginx as Nginx
    from holdfast.library.packages import Packages as Packages
    from holdfast.library.rendering.command_lines import CommandLine as CommandLine
    from holdfast.library.rendering.formats import to_ini as to_ini
    from holdfast.library.rendering.formats import to_json as to_json
    from holdfast.library.rendering.formats import to_key_value as to_key_value
    from holdfast.library.rendering.formats import to_toml as to_toml
    from holdfast.library.ssh import Ssh as Ssh
    from holdfast.library.sudo import Sudo as Sudo
    from holdfast.library.switching import Checks as Checks
    from holdfast.library.switching import Hooks as Hooks
    from holdfast.library.switching import Tasks as Tasks
    from holdfast.library.system import Debian as Debian
    from holdfast.library.system import System as System
    from holdfast.library.system import Ubuntu as Ubuntu
    from holdfast.library.systemd import Systemd as Systemd
    from holdfast.library.systemd_service import Service as Service
    from holdfast.library.tmpfiles import Tmpfiles as Tmpfiles
    from holdfast.library.users import Users as Users
    from holdfast.library.wrappers import Wrappers as Wrappers
else:
    _HOMES = {
        "assembling.manifest": "Evaluated evaluate_system resolve",
        "rendering.command_lines": "CommandLine",
        "auto_upgrade": "AutoUpgrade",
        "environment": "Environment",
        "fetched": "Fetched",
        "files": "Files",
        "firewall": "Firewall",
        "rendering.formats": "to_ini to_json to_key_value to_toml",
        "health": "Health",
        "host": "Host",
        "identity": "Identity",
        "kernel": "KernelModules Sysctl",
        "nginx": "Nginx",
        "packages": "Packages",
        "ssh": "Ssh",
        "sudo": "Sudo",
        "switching": "Checks Hooks Tasks",
        "system": "Debian System Ubuntu",
        "systemd": "Systemd",
        "systemd_service": "Service",
        "tmpfiles": "Tmpfiles",
        "users": "Users",
        "wrappers": "Wrappers",
    }
    _HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

    def __getattr__(name):
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{home}"), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted(_HOME)
