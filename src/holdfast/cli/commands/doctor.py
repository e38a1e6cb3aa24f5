"""`holdfast doctor`: what this machine can do, and how to mend what it cannot."""

from __future__ import annotations

import click

from holdfast.base.codec import every_field
from holdfast.cli.arguments import json_option
from holdfast.cli.diagnosis import diagnose
from holdfast.cli.output import write_json

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Check what this machine can do, and say how to mend what it cannot.

    The exit code is 1 if something fails; warnings are not failures.
    """
    checks = diagnose()
    if as_json:
        write_json([every_field(check) for check in checks])
    else:
        for check in checks:
            status = click.style(f"{check.status:<4}", fg=_COLOURS[check.status])
            click.echo(f"{status}  {check.name:<14}  {check.found}")
            if check.mend:
                click.echo(f"{'':20}  -> {check.mend}")
    if any(check.status == "fail" for check in checks):
        click.get_current_context().exit(1)
