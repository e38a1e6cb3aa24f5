"""What the store of a machine keeps: what its generations need, and what a rollback of its packages does. The rest goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from holdfast.base.digests import Digest
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message
from holdfast.engine.outcome import Place
from holdfast.engine.receiving import INCOMING
from holdfast.host import operations
from holdfast.host.failures import BusyError
from holdfast.host.home import locked
from holdfast.host.journal import read_journal
from holdfast.host.live import Live
from holdfast.host.planning.facts import read_recorded_state
from holdfast.manifest.model import BlobFile, SecretFile

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


def collect_garbage(place: Place, live: Live) -> None:
    """Remove from the store what nothing needs any more: nobody else empties that of a machine. Not while it is being changed.

    Kept are what refs name, contents of generations that came as a manifest alone, and the files of packages that we installed:
    an older version that a later change replaces can be had nowhere else, perhaps.

    Raises:
        HoldfastError: what is needed cannot be told, or the store cannot be written.
    """
    if not place.has_store:
        return
    with suppress(BusyError), locked(live) as home:
        if read_journal(home) is None:  # else what was interrupted has to be put right first
            with place.store.lease("what no ref names", [*_loose_contents(live), *_package_files(live)]):
                place.store.gc()


def try_to_collect_garbage(place: Place, live: Live) -> None:
    """The same, after work that is done whether there is more room now or not."""
    try:
        collect_garbage(place, live)
    except HoldfastError as error:
        message(f"What no generation needs any more was not removed: {error.brief}", level="warning")


def _loose_contents(live: Live) -> Iterator[Digest]:
    for item in operations.generations(live):
        if item.artifact is None:
            for entry in operations.show_generation(live, item.number).manifest.files.values():
                if isinstance(entry, (BlobFile, SecretFile)):
                    yield entry.digest


def _package_files(live: Live) -> Iterator[Digest]:
    state = read_recorded_state(live.root)
    for record in state.packages.packages.values() if state is not None else ():
        if record.sha256 is not None:
            yield record.sha256
