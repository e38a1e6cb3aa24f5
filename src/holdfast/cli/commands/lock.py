"""`holdfast lock`: pin the packages of every system."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from holdfast.base.codec import JSON, every_field
from holdfast.cli.arguments import in_process_option, json_option, system_argument, verbose_option
from holdfast.cli.output import write_json
from holdfast.cli.progress import show_progress
from holdfast.cli.rights import with_root_rights
from holdfast.distro.lockfile import Change
from holdfast.project.evaluation import evaluate
from holdfast.project.locking import LockReport, SetReport, lock_project
from holdfast.store import open_store

_SIGNS = {"added": "+", "removed": "-", "upgraded": "^", "downgraded": "v", "rebuilt": "~"}


@click.command()
@system_argument
@click.option("--update", is_flag=True, help="Move to the newest packages of the sources.")
@click.option("--security", is_flag=True, help="With --update: only packages from security sources.")
@json_option
@verbose_option
@in_process_option
@with_root_rights
def command(
    system: str, update: bool, security: bool, as_json: bool, verbose: bool, in_process: bool
) -> None:
    """Resolve the packages of systems and pin them in holdfast.lock, beside systems.py.

    What is locked already stays as it is; only what definitions ask for in addition is resolved. --update moves it
    and prints the difference.
    """
    if security and not update:
        raise click.UsageError("--security limits an update: write --update --security.")
    mode: Literal["nothing", "security", "everything"] = (
        "nothing" if not update else "security" if security else "everything"
    )
    with show_progress(as_json=as_json, verbose=verbose):
        report = lock_project(open_store(), evaluate(system, in_process=in_process), update=mode)
    if as_json:
        write_json(_as_json(report))
    else:
        _show(report)


def _as_json(report: LockReport) -> JSON:
    return {
        "path": str(report.path),
        "written": report.written,
        "sets": [
            {
                "key": item.request.key,
                "systems": list(item.request.systems),
                "distribution": f"{item.request.distribution.family} {item.request.distribution.release}",
                "packages": len(item.after.packages),
                "bytes": sum(package.size for package in item.after.packages),
                "resolver": item.after.resolver,
                "changes": [every_field(change) for change in item.changes],
            }
            for item in report.sets
        ],
        "accounts": {name: every_field(ids) for name, ids in report.accounts.items()},
        "dropped": [package_set.key for package_set in report.dropped],
    }


def _show(report: LockReport) -> None:
    for item in report.sets:
        _show_set(item)
    for name, ids in report.accounts.items():
        given = [f"user {user} {uid}" for user, uid in ids.users.items()]
        given += [f"group {group} {gid}" for group, gid in ids.groups.items()]
        click.echo(f"{name}: new ids: {', '.join(given)}")
    if report.dropped:
        sets = "1 package set" if len(report.dropped) == 1 else f"{len(report.dropped)} package sets"
        click.echo(f"Dropped {sets} that no system asks for any more.")
    here = Path.cwd()
    path = report.path.relative_to(here) if report.path.is_relative_to(here) else report.path
    click.echo(f"{'Wrote' if report.written else 'Nothing to change in'} {path}")


def _show_set(item: SetReport) -> None:
    size = sum(package.size for package in item.after.packages) / 1e6
    distribution = item.request.distribution
    click.echo(
        f"{', '.join(item.request.systems)}: {distribution.family} {distribution.release}, "
        f"{len(item.after.packages)} packages, {size:.1f} MB"
    )
    for change in item.changes:
        click.echo(f"  {_SIGNS[change.kind]} {_describe(change)}")


def _describe(change: Change) -> str:
    if change.before is None:
        return f"{change.name} {change.after}"
    if change.after is None:
        return f"{change.name} {change.before}"
    return f"{change.name} {change.before} -> {change.after}"
