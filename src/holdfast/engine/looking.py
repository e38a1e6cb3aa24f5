"""Verbs that change nothing on the machine but Holdfast itself."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.engine.about import archive_place, this_engine
from holdfast.engine.outcome import Outcome

if TYPE_CHECKING:
    from holdfast.base.style import Style
    from holdfast.engine.outcome import Place


def version(_options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast version`."""
    about = this_engine()
    number = about.version if about else _source_version()
    digest = about.digest if about else None
    python = sys.version.split()[0]
    shown = f", engine {digest[7:19]}" if digest else ""
    return Outcome(
        {"version": number, "engine": digest, "python": python},
        (f"holdfast {number}{shown}, Python {python}",),
    )


def install(options: argparse.Namespace, _style: Style) -> Outcome:
    """`python3 engine.pyz install`."""
    from holdfast.base.codec import encode
    from holdfast.engine.installing import install as put
    from holdfast.engine.outcome import demand_root

    demand_root("install the engine")
    archive = archive_place()
    if archive is None:
        raise HoldfastError(
            "only the engine's archive can be installed",
            resolution="`holdfast engine build --output engine.pyz` makes one: run `python3 engine.pyz install`.",
        )
    done = put(archive, expected=options.digest)
    text = f"{'Installed' if done.new else 'There already is'} the engine {done.digest[7:19]} of Holdfast {done.version}"
    return Outcome(encode(done), (text,))


def facts(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast facts`."""
    from holdfast.base.codec import encode, pretty_json
    from holdfast.host.files.rooted import RootDirectory
    from holdfast.host.inventory.reading import read_inventory

    with explain_os_errors(f"open the root {options.root}"):
        root = RootDirectory(options.root)
    with root:
        found = read_inventory(root, contents=options.contents)
    return Outcome(encode(found), tuple(pretty_json(found).decode().splitlines()))


def status(options: argparse.Namespace, style: Style) -> Outcome:
    """`holdfast status`."""
    from holdfast.base.codec import every_field
    from holdfast.engine.exits import Exit
    from holdfast.engine.outcome import Place
    from holdfast.host import operations, report

    place = Place(options.root)
    working = _under_way(place)
    with place.live() as live:
        found = operations.status(live)
    working = working or _under_way(place)
    lines = report.render_status(found, style)
    if working:  # what it is changing at the moment was neither interrupted, nor changed by hand
        found = replace(found, interrupted="", drift=())
        about = style("warning", f"A change is under way: {working}. `holdfast follow` shows it.")
        lines = [*lines[:1], about]
    pending = bool(found.drift) or found.interrupted != ""
    return Outcome(
        {**every_field(found), "under_way": working},
        tuple(lines),
        Exit.PENDING if options.detailed_exitcode and pending else Exit.DONE,
    )


def _under_way(place: Place) -> str | None:
    """The change that is being made at the moment."""
    from holdfast.engine import runs

    run = runs.under_way() if place.is_running else None
    return str(run.request) if run is not None else None


def _source_version() -> str:
    from importlib.metadata import version as installed

    return installed("holdfast")
