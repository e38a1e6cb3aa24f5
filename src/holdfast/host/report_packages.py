"""Packages, and what they brought, as text for people (pure). Part of :mod:`holdfast.host.report`."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.base.style import Kind, Style, printable
from holdfast.host.packages.change import PackageChange, PackageResult

DIFF_LINES = 60
"""Lines of one file's difference that text shows; --json has all of them."""

_PACKAGE_SIGNS: Mapping[str, tuple[str, Kind]] = {
    "install": ("+", "added"),
    "upgrade": ("^", "changed"),
    "downgrade": ("v", "changed"),
    "remove": ("-", "removed"),
    "purge": ("-", "removed"),
}


def package_lines(change: PackageChange | None, style: Style) -> list[str]:
    """A plan's packages: what becomes of each, of its marks, and of what others left beside managed files."""
    if change is None:
        return []
    lines: list[str] = []
    for action in change.actions:
        sign, kind = _PACKAGE_SIGNS[action.verb]
        versions = " -> ".join(printable(version) for version in (action.before, action.after) if version)
        why = f"  ({printable(action.reason)})" if action.reason else ""
        lines.append(f"{style(kind, sign)} {printable(action.package)} {versions}{why}")
    for mark in change.marks:
        if mark.held != mark.held_before:
            lines.append(
                f"{style('changed', '~')} {printable(mark.package)} {'is held' if mark.held else 'is held no longer'}"
            )
        if mark.automatic != mark.automatic_before:
            text = "counts as installed for others" if mark.automatic else "counts as asked for"
            lines.append(f"{style('changed', '~')} {printable(mark.package)} {text}")
    for one in change.debris:
        about = (
            f"the packaged version of {one.managed}; it is kept, and comes back when the entry goes"
            if one.new
            else "left behind by a package"
        )
        lines.append(f"{style('removed', '-')} {printable(one.path)}  ({printable(about)})")
    if change.irreversible:
        names = ", ".join(map(printable, change.irreversible))
        lines.append(style("warning", f"packages irreversible: the old version cannot be had of {names}"))
    return lines


def render_brought(brought: PackageResult, style: Style) -> list[str]:
    """What changed packages leave to be known: new versions of files of ours, and services that run on with old files."""
    lines: list[str] = []
    for one in brought.conffiles:
        later = (
            "it comes back when the entry goes"
            if one.restored
            else "a person had edited it before us: that comes back"
        )
        lines.append(
            f"{style('changed', '~')} {printable(one.path)} stays ours; its package brought another version ({later})"
        )
        lines += [f"    {line}" for line in diff_lines(one.diff, style)]
    for stale in brought.stale:
        name = stale.unit or ", ".join(stale.processes)
        first, *others = stale.files
        more = f" and {len(others)} more" if others else ""
        told = f"{printable(name)} uses {printable(first)}{more}, replaced by now"
        lines.append(style("warning", "still in use: ") + told)
    if brought.stale:
        lines.append(
            "  `holdfast switch --restart-stale` restarts the services among them that a restart does not harm."
        )
    return lines


def diff_lines(diff: str, style: Style) -> list[str]:
    """A unified difference without its head, up to :data:`DIFF_LINES` lines."""
    lines = [line for line in diff.splitlines() if not line.startswith(("--- ", "+++ "))]
    kinds: dict[str, Kind] = {"+": "added", "-": "removed", "@": "quiet"}
    shown = [
        style(kinds[line[0]], printable(line)) if line[:1] in kinds else printable(line)
        for line in lines[:DIFF_LINES]
    ]
    if len(lines) > DIFF_LINES:
        shown.append(style("quiet", f"... {len(lines) - DIFF_LINES} more lines"))
    return shown
