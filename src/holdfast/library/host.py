"""The machine as a whole: what it may run on, and which state of its services it has."""

from __future__ import annotations

from holdfast.options import BOOL, UNSIGNED, Module, OptionSet, implements, option


class Host(OptionSet, path="host"):
    """What holds for the machine as a whole."""

    allow_any_distribution = option(
        BOOL,
        default=False,
        doc="Go on where os-release(5) names a distribution that Holdfast does not know.",
    )
    state_version = option(
        UNSIGNED,
        default=0,
        doc="Version of the data that the machine's services keep, for you to count. A switch to a lower one is refused, "
        "so that a rollback cannot hand new data to an old program.",
        example=1,
    )


@implements(Host)
def host(m: Module) -> None:
    """Nothing to add: the manifest carries both."""
