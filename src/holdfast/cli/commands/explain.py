"""`holdfast explain`: where an option's value comes from."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from holdfast.base.errors import HoldfastError
from holdfast.cli.arguments import in_process_option, json_option, one_system_argument
from holdfast.cli.output import write_json
from holdfast.cli.progress import show_warnings
from holdfast.project.evaluation import explain, list_options


def complete_option(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Paths of the system's options, for the shell."""
    try:
        return [
            CompletionItem(path)
            for path in list_options(ctx.params.get("system", ""))
            if path.startswith(incomplete)
        ]
    except HoldfastError:
        return []


@click.command()
@one_system_argument
@click.argument("option", shell_complete=complete_option)
@json_option
@in_process_option
def command(system: str, option: str, as_json: bool, in_process: bool) -> None:
    """Tell where the value of OPTION of SYSTEM comes from: every definition, its line, and why it won or lost.

    OPTION is a dotted path; parts with dots are quoted: 'files."/etc/motd".text'.
    """
    with show_warnings(as_json=as_json):
        explanation = explain(system, option, in_process=in_process)
    if as_json:
        write_json({name: value for name, value in explanation.items() if name != "text"})
    else:
        click.echo(explanation["text"])
