"""`holdfast eval`: definitions in, manifests out."""

from __future__ import annotations

import json

import click

from holdfast.cli.arguments import in_process_option, json_option, system_argument
from holdfast.cli.output import write_json, write_table
from holdfast.cli.progress import show_warnings
from holdfast.project.evaluation import EvaluatedSystem, evaluate


@click.command()
@system_argument
@json_option
@in_process_option
def command(system: str, as_json: bool, in_process: bool) -> None:
    """Evaluate systems to their manifests.

    With --json the manifests themselves: one object, system name to manifest. The same definition gives the same
    bytes from any directory.
    """
    with show_warnings(as_json=as_json):
        evaluation = evaluate(system, in_process=in_process)
    if as_json:
        write_json({item.name: json.loads(item.data) for item in evaluation.systems})
    else:
        write_table([_row(item) for item in evaluation.systems], header=_HEADER)


_HEADER = ("SYSTEM", "DISTRIBUTION", "PACKAGES", "FILES", "UNITS", "USERS", "MANIFEST")


def _row(item: EvaluatedSystem) -> tuple[str, ...]:
    manifest = item.manifest
    return (
        item.name,
        f"{manifest.distribution.family} {manifest.distribution.release}",
        str(len(manifest.packages.install)),
        str(len(manifest.files)),
        str(len(manifest.units)),
        str(len(manifest.users)),
        item.digest.removeprefix("sha256:")[:12],
    )
