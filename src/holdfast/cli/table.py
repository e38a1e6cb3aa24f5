"""The table of commands, and running one of them. `holdfast --help` loads this and click, and no command."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple

import click

from holdfast.base.errors import HoldfastError
from holdfast.cli.main import Terminated
from holdfast.cli.rights import GainRights, keep_rights

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_READER_GONE = 141
EXIT_TERMINATED = 143


class ReaderGone(BaseException):
    """Our stdout or stderr is closed. Not the BrokenPipeError that it was: click ends the process by itself at that, with 1."""


class Entry(NamedTuple):
    section: str
    summary: str
    module: str = ""
    """Module under ``holdfast.cli.commands``, where it is not the command's own name."""


COMMANDS = {
    "init": Entry("Define", "Write a first systems.py that works at once."),
    "eval": Entry("Define", "Evaluate systems to their manifests.", "evaluate"),
    "facts": Entry("Define", "Print what a machine is: packages, files, units, people."),
    "explain": Entry("Define", "Tell where an option's value comes from, and what lost."),
    "options": Entry("Define", "Search the options that definitions can set."),
    "lock": Entry("Build", "Resolve packages and pin them in holdfast.lock."),
    "build": Entry("Build", "Build systems from the lock into the store."),
    "run": Entry("Build", "Boot a system, throw it away afterwards: a shell, or one command."),
    "store": Entry("Keep", "Look at, check, clean and export what was built."),
    "engine": Entry("Keep", "Make the command that runs on the machines that Holdfast looks after."),
    "plan": Entry("Machines", "Show what a switch would change."),
    "switch": Entry("Machines", "Make machines what their definitions say, over ssh or here."),
    "boot": Entry("Machines", "Change machines at their next boot."),
    "rollback": Entry("Machines", "Go back to an earlier generation."),
    "status": Entry("Machines", "Show what is current, and what was changed by hand."),
    "adopt": Entry("Machines", "Accept what was changed by hand."),
    "repair": Entry("Machines", "Put back what was changed by hand."),
    "confirm": Entry("Machines", "Keep a change that waits to be confirmed."),
    "follow": Entry("Machines", "Follow the change that is under way, or show how the last one ended."),
    "recover": Entry("Machines", "Finish or take back what was interrupted."),
    "deactivate": Entry("Machines", "Give a machine back as it was found."),
    "generations": Entry("Machines", "List, show, forget and activate generations on machines."),
    "import": Entry("Machines", "Take over a machine from another tool.", "import_"),
    "doctor": Entry("Keep", "Check what this machine can do, and say how to mend what it cannot."),
    "completion": Entry("Keep", "Print the completion script for bash, zsh or fish."),
}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def _write_no_more() -> None:
    """What is still buffered for stdout goes nowhere: else the interpreter complains while it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@contextmanager
def _reader_gone() -> Generator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None


class CommandTable(click.Group):
    """A group that knows names and summaries from :data:`COMMANDS` and imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = import_module(f"holdfast.cli.commands.{entry.module or cmd_name}")
        command: object = module.command
        assert isinstance(command, click.Command)
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        with _reader_gone():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _reader_gone():
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [(name, entry.summary) for name, entry in COMMANDS.items() if entry.section == section]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"holdfast {version('holdfast')}")
        ctx.exit()


@click.command(cls=CommandTable, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def command() -> None:
    """Describe Linux systems in typed Python; lock, build and boot them.

    Systems are named [FILE:]NAME, by a glob, or tag:NAME. Without FILE it is systems.py here or in the nearest
    parent directory.
    """


def run(arguments: list[str], gain_rights: GainRights = keep_rights) -> int:
    """Run one command and return its exit code: 0, 1 for an error, 2 for wrong usage, 130, 141 and 143 for signals.

    ``gain_rights`` is what a command does first that makes files of many owners.
    """
    try:
        code: object = command.main(arguments, prog_name="holdfast", standalone_mode=False, obj=gain_rights)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.UsageError as error:
        from holdfast.cli.failures import show_usage_error

        show_usage_error(error)
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted. Nothing was left half-done; run the command again to continue.", err=True)
        return EXIT_INTERRUPTED
    except Terminated:
        return EXIT_TERMINATED
    except (ReaderGone, BrokenPipeError):
        # The reader went away (`holdfast store ls | head`): nobody to tell.
        _write_no_more()
        return EXIT_READER_GONE
    except HoldfastError as error:
        from holdfast.cli.failures import show_error

        show_error(error)
        return error.exit_code
    except OSError as error:
        from holdfast.cli.failures import show_bug, show_error

        if error.errno not in _NO_ROOM:
            show_bug(error)
            return 1
        _write_no_more()
        reason = os.strerror(error.errno or 0)
        show_error(
            HoldfastError(
                f"cannot write what is to be told: {reason}",
                resolution="Free some space there, then run the command again.",
            )
        )
        return 1
    except Exception as error:  # the last line of defence: a bug is told as one
        from holdfast.cli.failures import show_bug

        show_bug(error)
        return 1
