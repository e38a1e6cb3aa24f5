"""From the options of health to the manifest's probes."""

from __future__ import annotations

import re

from holdfast.library.assembling.problems import Problems
from holdfast.library.assembling.switching import check_name
from holdfast.library.health import Health, Probe
from holdfast.manifest import model
from holdfast.options import definitions_of

_URL = r"https?://[A-Za-z0-9.-]+|https?://\[[0-9A-Fa-f:.]+\]"
_HOST = r"[A-Za-z0-9:_.-]+"


def assemble_health(config: Health, problems: Problems) -> model.Health:
    """The manifest's probes, deadline and exceptions."""
    probes: dict[str, model.Probe] = {}
    for name, probe in config.probes.items():
        if probe.enable:
            with problems.at("health", "probes", name):
                probes[check_name(name)] = _probe(probe)
    return model.Health(probes, config.deadline, tuple(sorted(config.may_fail)))


def _probe(probe: Probe) -> model.Probe:
    kinds = [
        name
        for name, value in (
            ("command", probe.command),
            ("http", probe.http),
            ("tcp", probe.tcp),
            ("unit", probe.unit),
        )
        if value is not None
    ]
    if len(kinds) != 1:
        told = (
            f"both {kinds[0]} and {kinds[1]}; keep one"
            if kinds
            else "no question; set command, http, tcp or unit"
        )
        raise ValueError(f"it has {told}")
    for kind, name, of in (
        ("http", "status", Probe.status),
        ("http", "contains", Probe.contains),
        ("tcp", "host", Probe.host),
    ):
        if kinds != [kind] and definitions_of(probe, of):
            raise ValueError(f"it has {name}, which belongs to {kind}, but asks by {kinds[0]}")
    if probe.command is not None:
        return model.CommandProbe(probe.command)
    if probe.http is not None:
        return model.HttpProbe(_url(probe.http), probe.status, probe.contains)
    if probe.tcp is not None:
        if not re.fullmatch(_HOST, probe.host):
            raise ValueError(f"{probe.host!r} is neither the name nor the address of a machine")
        return model.TcpProbe(probe.tcp, probe.host)
    return model.UnitProbe(probe.unit or "")


def _url(url: str) -> str:
    if not re.fullmatch(rf"(?:{_URL})(?::[0-9]{{1,5}})?(?:[/?][!-~]*)?", url):
        raise ValueError(
            f"{url!r} is not a URL to ask: write http:// or https://, the machine's name, its port and a path, "
            "without user, password or spaces"
        )
    return url
