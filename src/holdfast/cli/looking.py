"""Reading what a machine is: this one, the root of one that does not run, or one that is reached over ssh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from holdfast.base.codec import JSON
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.deploy.transport import LOCAL
from holdfast.manifest.inventory import Inventory

F = TypeVar("F", bound=Callable[..., Any])  # Any: click decorates functions of any signature


def root_option(function: F) -> F:
    return click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Look below this directory: the root of a machine that does not run.",
    )(function)


def look_at(where: str, root: Path | None, *, contents: bool) -> Inventory:
    """Read the machine at ``where``: ``local`` or USER@HOST. ``contents``: with what is in the files that are found.

    Raises:
        HoldfastError: it cannot be reached or read.
    """
    if where != LOCAL:
        if root is not None:
            raise HoldfastError("--root names a directory of this machine", resolution="Leave out --root.")
        return _look_far(where, contents=contents)
    from holdfast.host.files.rooted import RootDirectory
    from holdfast.host.inventory.reading import read_inventory

    with explain_os_errors(f"open the root {root or '/'}"):
        directory = RootDirectory(root or Path("/"))
    with directory:
        return read_inventory(directory, contents=contents)


def _look_far(where: str, *, contents: bool) -> Inventory:
    from holdfast.base.codec import decode

    found = ask_far(where, ("facts", *(["--contents"] if contents else [])))
    return decode(Inventory, found, what=f"the facts of {where}")


def ask_far(where: str, verb: tuple[str, ...]) -> JSON:
    """What the engine on the machine USER@HOST says to a verb.

    Raises:
        HoldfastError: it cannot be reached, or the verb fails there.
    """
    from holdfast.deploy.results import demand
    from holdfast.deploy.ssh import SshSettings, SshTransport
    from holdfast.deploy.transport import has_terminal
    from holdfast.deploy.working import Job, Surroundings, work
    from holdfast.engine.archive import engine_archive
    from holdfast.store import open_store

    store = open_store()
    settings = SshSettings(interactive=has_terminal())
    job = Job(where, None, lambda: SshTransport(where, settings), verb)
    return demand(work(job, Surroundings(store, engine_archive(store)))).result
