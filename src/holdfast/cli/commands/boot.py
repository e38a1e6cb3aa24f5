"""`holdfast boot`: change machines at their next boot."""

from __future__ import annotations

import click

from holdfast.cli.arguments import in_process_option, system_argument
from holdfast.cli.machines import Reach, aims_of, generations_of, machine_options, perform, words
from holdfast.project.evaluation import evaluate


@click.command()
@system_argument
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@machine_options(changing=True)
@in_process_option
def command(system: str, dry_run: bool, in_process: bool, reach: Reach) -> int:
    """Bring systems to their machines, where they become current at the next boot. Until then nothing changes."""
    evaluation = evaluate(system, in_process=in_process)
    return perform(
        reach,
        aims_of(evaluation, reach, named=bool(system)),
        words("boot", flags=[(dry_run, "--dry-run")]),
        generations=generations_of(evaluation),
        planning=dry_run,
    )
