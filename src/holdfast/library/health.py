"""Health: what must answer after a switch, so that the switch stays."""

from __future__ import annotations

from holdfast.library.types import PROGRAM, UNIT_NAME, UNITS
from holdfast.options import (
    BOOL,
    PORT,
    STR,
    Module,
    OptionSet,
    attrs_of,
    between,
    entry_name,
    implements,
    null_or,
    option,
    submodule,
)


class Probe(OptionSet, path=""):
    """One question to the machine, asked on the machine itself. Set one of `command`, `http`, `tcp` and `unit`."""

    name = entry_name(doc="Name of the probe, for messages.")
    enable = option(BOOL, default=True, doc="False leaves the probe out.")
    command = option(
        null_or(PROGRAM),
        doc="Healthy when this command exits with 0.",
        example=["/usr/bin/pg_isready", "--quiet"],
    )
    http = option(
        null_or(STR),
        doc="Healthy when this URL answers with `status`.",
        example="http://127.0.0.1:8080/health",
    )
    status = option(between(100, 599), default=200, doc="The status that `http` must answer with.")
    contains = option(STR, default="", doc="Text that the answer to `http` must contain.")
    tcp = option(null_or(PORT), doc="Healthy when this port accepts a connection.", example=5432)
    host = option(STR, default="127.0.0.1", doc="Name or address of the machine whose port `tcp` is.")
    unit = option(null_or(UNIT_NAME), doc="Healthy when this unit is active.", example="nginx.service")


class Health(OptionSet, path="health"):
    """What decides, after a switch, between keeping it and taking it back.

    Besides the probes, no unit may have failed that had not failed before.
    """

    probes = option(attrs_of(submodule(Probe)), doc="Probes by name; each must succeed.")
    deadline = option(
        between(1, 86400),
        default=60,
        doc="Seconds until all probes must have succeeded; they are repeated until then.",
    )
    may_fail = option(
        UNITS,
        doc="Units that may have failed afterwards although they had not before.",
        example=["backup.service"],
    )


@implements(Health)
def health(m: Module) -> None:
    """Nothing to add: the manifest carries probes as they are."""
