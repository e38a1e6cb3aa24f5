"""Names in the store for the generations of its machine, so that garbage collection keeps what a rollback needs."""

from __future__ import annotations

from holdfast.engine.outcome import Place
from holdfast.engine.receiving import INCOMING
from holdfast.host import operations
from holdfast.host.live import Live

PREFIX = "generations/"


def keep_generations(place: Place, live: Live) -> None:
    """Let the store's refs be those of the generations that are recorded on the machine, after a command that changed them.

    Raises:
        HoldfastError: the store cannot be written.
    """
    wanted = {
        f"{PREFIX}{item.number}": item.artifact
        for item in operations.generations(live)
        if item.artifact is not None
    }
    if not wanted and not place.has_store:
        return  # nothing here ever came as an artifact
    refs = place.store.refs
    there = {name: digest for name, digest in refs.list().items() if name.startswith(PREFIX)}
    for name, digest in wanted.items():
        if there.get(name) != digest:
            refs.set(name, digest)
    for name in there:
        if name not in wanted:
            refs.delete(name)
    incoming = refs.get(INCOMING)
    if incoming is not None and incoming in wanted.values():
        refs.delete(INCOMING)
