"""Reading what a machine is: this one, the root of one that does not run, or one that is reached over ssh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from holdfast.base.codec import JSON
from holdfast.base.errors import explain_os_errors
from holdfast.cli.progress import show_progress
from holdfast.cli.reaching import Way, ask_password, check_ways
from holdfast.deploy.transport import LOCAL
from holdfast.manifest.inventory import Inventory

F = TypeVar("F", bound=Callable[..., Any])  # Any: click decorates functions of any signature


def root_option(function: F) -> F:
    return click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Look below this directory: the root of a machine that does not run.",
    )(function)


def look_at(where: str, root: Path | None, way: Way, *, contents: bool) -> Inventory:
    """Read the machine at ``where``: ``local``, or USER@HOST over ``way``. ``contents``: with what is in the files that are found.

    Raises:
        HoldfastError: it cannot be reached or read.
    """
    if where != LOCAL:
        if root is not None:
            raise click.UsageError(
                "--root names a directory of this machine: leave it out.", click.get_current_context()
            )
        return _look_far(where, way, contents=contents)
    from holdfast.host.files.rooted import RootDirectory
    from holdfast.host.inventory.reading import read_inventory

    with explain_os_errors(f"open the root {root or '/'}"):
        directory = RootDirectory(root or Path("/"))
    with directory:
        return read_inventory(directory, contents=contents)


def _look_far(where: str, way: Way, *, contents: bool) -> Inventory:
    from holdfast.base.codec import decode

    found = ask_far(where, way, ("facts", *(["--contents"] if contents else [])))
    return decode(Inventory, found, what=f"the facts of {where}")


def ask_far(where: str, way: Way, verb: tuple[str, ...], *, as_json: bool = False) -> JSON:
    """What the engine on the machine USER@HOST says to a verb. ``as_json``: progress is told so.

    Raises:
        HoldfastError: it cannot be reached, or the verb fails there.
    """
    from holdfast.deploy.results import demand
    from holdfast.deploy.ssh import SshSettings, SshTransport
    from holdfast.deploy.transport import has_terminal
    from holdfast.deploy.working import Job, Surroundings, work
    from holdfast.engine.archive import engine_archive
    from holdfast.store import open_store

    check_ways([where], way.ssh_options)
    store = open_store()
    settings = SshSettings(way.ssh_options, way.connect_timeout, interactive=has_terminal())
    password = ask_password() if way.ask_sudo_password else None
    job = Job(where, None, lambda: SshTransport(where, settings), verb)
    with show_progress(as_json=as_json) as pause:
        result = work(job, Surroundings(store, engine_archive(store), password, asking=pause))
    return demand(result).result
