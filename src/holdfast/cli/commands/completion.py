"""`holdfast completion`: the script that teaches a shell our commands, systems and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from holdfast.cli import table


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    \b
    bash: eval "$(holdfast completion bash)"    # in ~/.bashrc
    zsh:  eval "$(holdfast completion zsh)"     # in ~/.zshrc, after compinit
    fish: holdfast completion fish | source     # in ~/.config/fish/config.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None
    click.echo(completion(table.command, {}, "holdfast", "_HOLDFAST_COMPLETE").source())
