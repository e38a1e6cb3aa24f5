"""`holdfast import`: taking over a machine from another tool."""

from __future__ import annotations

import argparse
from pathlib import Path

from holdfast.base.codec import encode
from holdfast.base.style import Style
from holdfast.engine.outcome import Outcome, Place, demand_root
from holdfast.host.home import locked
from holdfast.host.importing.system_manager import ASIDE, Imported, import_system_manager
from holdfast.host.transaction import recover


def import_from(options: argparse.Namespace, _style: Style) -> Outcome:
    """`holdfast import system-manager`."""
    imported = take_over(options.root)
    return Outcome(encode(imported), tuple(render(imported)))


def take_over(root: Path) -> Imported:
    """Take over from System Manager, alone with the machine and after whatever a crash left was put in order.

    Raises:
        HoldfastError: see :func:`import_system_manager`; or somebody else changes the machine.
    """
    demand_root("take over a machine")
    with Place(root).live() as live, locked(live) as home:
        recover(live, home)
        return import_system_manager(live)


def render(imported: Imported) -> list[str]:
    """The result in words."""
    lines = [
        f"Took over {len(imported.entries)} paths from System Manager as generation {imported.generation}; nothing in use changed."
    ]
    if imported.restored_later:
        lines.append(
            "These get back what was there before System Manager when no definition has them any more:"
        )
        lines += [f"  {path}" for path in imported.restored_later]
    if imported.services:
        lines.append(f"Units that it looked after: {', '.join(imported.services)}")
    if imported.masked:
        lines.append(f"Units that it masked: {', '.join(imported.masked)}")
    lines += [f"Note: {note}" for note in imported.notes]
    lines.append(f"Its own state lies aside in {ASIDE}. What no definition declares goes at the next switch.")
    return lines
