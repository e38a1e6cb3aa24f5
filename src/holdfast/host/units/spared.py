"""Units that a change does not stop or restart by itself, because more than they would go: a table, with its reasons.

Their new definition takes effect when somebody restarts them, or at the next boot; a note says so.
"""

from __future__ import annotations

import fnmatch

from holdfast.base.records import dataclass

_SYSTEM_MOUNTS = frozenset(
    {
        "-.mount",
        "boot.mount",
        "boot-efi.mount",
        "efi.mount",
        "etc.mount",
        "home.mount",
        "nix.mount",
        "nix-store.mount",
        "run.mount",
        "tmp.mount",
        "usr.mount",
        "var.mount",
        "var-lib.mount",
        "var-log.mount",
        "var-tmp.mount",
    }
)
_KERNEL_MOUNTS = ("dev", "proc", "run-user", "sys")
_BUS = "every program that talks over the bus would lose its connection"
_LOG = "what runs would lose the place that it logs to"
_NETWORK = "the machine would lose its network, and you perhaps your way in"
_LOGGED_IN = "people are logged in through it"
_DESKTOP = "it would end the desktops of those who are logged in"


@dataclass(frozen=True)
class Spared:
    """Why a unit is left running."""

    reason: str
    unless_asked: bool = False
    """A definition that says what a change of just this unit does (``stop_if_changed``, a trigger) is believed."""


_TABLE: tuple[tuple[str, Spared], ...] = (
    ("dbus.service", Spared(_BUS)),
    ("dbus.socket", Spared(_BUS)),
    ("dbus-broker.service", Spared(_BUS)),
    ("systemd-logind.service", Spared("the sessions of those who are logged in hang on it")),
    ("systemd-journald*", Spared(_LOG)),
    ("systemd-networkd.service", Spared(_NETWORK, unless_asked=True)),
    ("systemd-networkd.socket", Spared(_NETWORK, unless_asked=True)),
    ("networking.service", Spared(_NETWORK, unless_asked=True)),
    ("ifup@*.service", Spared(_NETWORK, unless_asked=True)),
    ("NetworkManager.service", Spared(_NETWORK, unless_asked=True)),
    ("wpa_supplicant*.service", Spared(_NETWORK, unless_asked=True)),
    ("dhcpcd*.service", Spared(_NETWORK, unless_asked=True)),
    ("getty@*.service", Spared(_LOGGED_IN, unless_asked=True)),
    ("serial-getty@*.service", Spared(_LOGGED_IN, unless_asked=True)),
    ("container-getty@*.service", Spared(_LOGGED_IN, unless_asked=True)),
    ("console-getty.service", Spared(_LOGGED_IN, unless_asked=True)),
    ("autovt@*.service", Spared(_LOGGED_IN, unless_asked=True)),
    ("user@*.service", Spared(_LOGGED_IN, unless_asked=True)),
    ("user-runtime-dir@*.service", Spared(_LOGGED_IN)),
    ("session-*.scope", Spared(_LOGGED_IN)),
    ("display-manager.service", Spared(_DESKTOP, unless_asked=True)),
    ("gdm*.service", Spared(_DESKTOP, unless_asked=True)),
    ("lightdm.service", Spared(_DESKTOP, unless_asked=True)),
    ("sddm.service", Spared(_DESKTOP, unless_asked=True)),
    ("lxdm.service", Spared(_DESKTOP, unless_asked=True)),
    ("xdm.service", Spared(_DESKTOP, unless_asked=True)),
    ("greetd.service", Spared(_DESKTOP, unless_asked=True)),
    ("emergency.service", Spared(_LOGGED_IN)),
    ("rescue.service", Spared(_LOGGED_IN)),
    ("systemd-cryptsetup@*.service", Spared("what is mounted from it would be gone")),
    ("systemd-udevd*", Spared("devices that come while it is away would not be seen", unless_asked=True)),
)


def spared(unit: str) -> Spared | None:
    """Why ``unit`` is not to be stopped or restarted, or None where it may be."""
    if is_system_mount(unit):
        return Spared("the system itself runs from it")
    return next((why for pattern, why in _TABLE if fnmatch.fnmatchcase(unit, pattern)), None)


def is_system_mount(unit: str) -> bool:
    """A mount that what runs always uses, and the kernel's own file systems with all below them."""
    stem, _, kind = unit.rpartition(".")
    below = stem.startswith(tuple(f"{one}-" for one in _KERNEL_MOUNTS))
    return kind == "mount" and (unit in _SYSTEM_MOUNTS or stem in _KERNEL_MOUNTS or below)
