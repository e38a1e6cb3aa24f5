"""`holdfast build`: systems into the store."""

from __future__ import annotations

import click

from holdfast.cli.arguments import in_process_option, json_option, system_argument, verbose_option
from holdfast.cli.output import write_json, write_table
from holdfast.cli.progress import describe_amount, show_progress
from holdfast.cli.rights import with_root_rights
from holdfast.project.building import build_systems
from holdfast.project.evaluation import evaluate
from holdfast.store import open_store


@click.command()
@system_argument
@json_option
@verbose_option
@in_process_option
@with_root_rights
def command(system: str, as_json: bool, verbose: bool, in_process: bool) -> None:
    """Build systems from holdfast.lock into the store.

    Without any lock one is made for these systems. A lock that does not cover a system is an error: builds
    never change what is locked. The same lock and definition give the same identity on every machine.
    """
    with show_progress(as_json=as_json, verbose=verbose):
        built = build_systems(open_store(), evaluate(system, in_process=in_process))
    if as_json:
        write_json(
            [
                {
                    "name": item.name,
                    "ref": item.ref,
                    "identity": item.artifact.identity,
                    "artifact": item.artifact.manifest,
                    "manifest": item.manifest,
                    "layers": [
                        {"diff_id": layer.diff_id, "size": layer.size} for layer in item.artifact.layers
                    ],
                    "milliseconds": round(item.seconds * 1000),
                }
                for item in built
            ]
        )
        return
    write_table(
        [
            (
                item.name,
                item.artifact.identity.removeprefix("sha256:")[:12],
                describe_amount(sum(layer.size for layer in item.artifact.layers), "bytes"),
                f"{item.seconds:.1f} s",
                item.ref,
            )
            for item in built
        ],
        header=("SYSTEM", "IDENTITY", "SIZE", "TIME", "REF"),
    )
