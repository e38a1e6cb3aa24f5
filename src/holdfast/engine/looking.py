"""Verbs that change nothing on the machine but Holdfast itself."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from holdfast.base.errors import HoldfastError
from holdfast.engine.about import archive_place, this_engine
from holdfast.engine.outcome import Outcome

if TYPE_CHECKING:
    from holdfast.base.style import Style


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
    raise HoldfastError(f"facts of {options.root} cannot be read yet")


def status(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast status`."""
    raise HoldfastError(f"the status of {options.root} cannot be read yet")


def _source_version() -> str:
    from importlib.metadata import version as installed

    return installed("holdfast")
