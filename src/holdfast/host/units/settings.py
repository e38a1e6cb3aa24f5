"""What a unit file says, as far as a unit that runs has to learn of it (pure). See systemd.syntax(7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from holdfast.host.units.declared import logical_lines

Settings = Mapping[tuple[str, str], Sequence[str]]
"""Section and name to the values given to it, in order; an empty value empties what came before."""
OnChange = Literal["restart", "reload", "stop-start", "nothing"]

_INERT = frozenset(
    {
        "AllowIsolate",
        "CollectMode",
        "Description",
        "Documentation",
        "IgnoreOnIsolate",
        "OnFailure",
        "OnFailureJobMode",
        "OnSuccess",
        "RefuseManualStart",
        "RefuseManualStop",
        "SourcePath",
        "StopWhenUnneeded",
    }
)
"""Settings of [Unit] that running units need not know: the manager reads them, and a daemon-reload is all they want. As NixOS has it."""
_PULLING = ("Wants", "Requires", "Upholds", "BindsTo")
_NO, _YES = ("no", "false", "off", "0"), ("yes", "true", "on", "1")


def read_settings(text: str) -> Settings:
    """Every setting of a unit file, or of one with its drop-ins behind it."""
    found: dict[tuple[str, str], list[str]] = {}
    section = ""
    for line in logical_lines(text):
        if line.startswith("["):
            section = line.strip("[] ")
            continue
        key, separator, value = line.partition("=")
        if separator:
            found.setdefault((section, key.strip()), []).append(value.strip())
    return found


def differences(before: Settings, after: Settings) -> list[str]:
    """Names of the settings that a running unit would have to learn of, in the order of the new text."""
    names = [
        key
        for (section, key) in (*after, *before)
        if before.get((section, key)) != after.get((section, key)) and not _is_inert(section, key)
    ]
    return list(dict.fromkeys(names))


def _is_inert(section: str, key: str) -> bool:
    return section == "Install" or key.startswith("X-") or (section == "Unit" and key in _INERT)


def pulled(settings: Settings) -> set[str]:
    """The units that a unit takes with it when it starts."""
    return {word for key in _PULLING for value in settings.get(("Unit", key), ()) for word in value.split()}


def last(settings: Settings, key: str, section: str | None = None) -> str:
    """The value of a setting that is given once; of any section unless one is named."""
    values = [
        value for (where, name), found in settings.items() if name == key and section in (None, where)
        for value in found
    ]  # fmt: skip
    return values[-1] if values else ""


def is_yes(settings: Settings, key: str, section: str | None = None) -> bool:
    return last(settings, key, section).lower() in _YES


def is_no(settings: Settings, key: str) -> bool:
    return last(settings, key).lower() in _NO


def on_change_of(settings: Settings) -> OnChange:
    """What a plain text asks for with NixOS's X-RestartIfChanged=, X-ReloadIfChanged= and X-StopIfChanged=."""
    if is_no(settings, "X-RestartIfChanged"):
        return "nothing"
    if is_yes(settings, "X-ReloadIfChanged"):
        return "reload"
    return "stop-start" if is_yes(settings, "X-StopIfChanged") else "restart"


def started_service(socket: str, settings: Settings) -> str | None:
    """The service that a socket starts; None where each connection gets one of its own."""
    if is_yes(settings, "Accept", "Socket"):
        return None
    return last(settings, "Service", "Socket") or socket.removesuffix(".socket") + ".service"


def listing(names: Iterable[str]) -> str:
    """Up to three names, and how many more there are."""
    every = list(names)
    shown = ", ".join(every[:3])
    return shown if len(every) <= 3 else f"{shown} and {len(every) - 3} more"
