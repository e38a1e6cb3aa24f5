"""Write docs/reference/ from the code: `make docs`. A test fails when what is committed is not what this writes.

python docs/generate.py            write the pages
python docs/generate.py --check    exit with 1 and name the pages that are out of date
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import click

from holdfast.base.codec import pretty_json
from holdfast.cli.table import COMMANDS
from holdfast.cli.table import command as holdfast
from holdfast.deploy import results
from holdfast.engine import exits
from holdfast.manifest.document import manifest_schema

REFERENCE = Path(__file__).resolve().parent / "reference"
NOTICE = "<!-- Written by docs/generate.py from the code. Do not edit. -->\n\n"


def pages() -> dict[str, bytes]:
    """File name below docs/reference/ to its content."""
    return {
        "cli.md": (NOTICE + "\n".join(command_line()).rstrip() + "\n").encode(),
        "options.md": (NOTICE + "\n".join(options()).rstrip() + "\n").encode(),
        "manifest.schema.json": pretty_json(manifest_schema()),
    }


def command_line() -> Iterator[str]:
    yield "# The command line\n"
    context = click.Context(holdfast, info_name="holdfast", terminal_width=100, max_content_width=100)
    yield f"```\n{holdfast.get_help(context)}\n```\n"
    for name in COMMANDS:
        command = holdfast.get_command(context, name)
        assert command is not None
        yield from describe_command(command, context, name)
    yield from exit_codes()


def exit_codes() -> Iterator[str]:
    """What the code says beside each number; a reference to other code is of no use to readers."""
    yield "## Exit codes\n"
    yield "Of commands on several machines: the code of the worst result, in the order that `holdfast switch --help` lists.\n"
    yield "| code | meaning |"
    yield "|---|---|"
    text = {**_documented(exits, "Exit"), **_documented(results, None)}
    codes = {**{code.name: int(code) for code in exits.Exit}, "UNREACHABLE": results.UNREACHABLE}
    for name, code in sorted(codes.items(), key=lambda item: item[1]):
        meaning = re.sub(r" \(`[^`]*`\)", "", text[name]).removeprefix("Exit code: ")
        yield f"| {code} | {meaning[0].upper()}{meaning[1:]} |"


def _documented(module: ModuleType, inside: str | None) -> dict[str, str]:
    """The strings below the assignments of a module, or of its class ``inside``."""
    body = ast.parse(inspect.getsource(module)).body
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == inside:
            body = node.body
    found: dict[str, str] = {}
    for node, after in pairwise(body):
        match node, after:
            case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text
            case _:
                pass
    return found


def describe_command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield f"## {context.command_path}\n"
    yield f"```\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from describe_command(found, context, child)


def options() -> Iterator[str]:
    from holdfast.cli.option_pages import option_reference
    from holdfast.project.evaluation import describe_options

    yield "# Options\n"
    yield "What definitions can set. `holdfast options WORD` searches the same text.\n"
    yield from option_reference(describe_options())


def main() -> int:
    os.environ["COLUMNS"] = "100"
    wrong: list[str] = []
    for name, content in pages().items():
        path = REFERENCE / name
        if path.exists() and path.read_bytes() == content:
            continue
        wrong.append(name)
        if "--check" not in sys.argv:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    for name in wrong:
        click.echo(f"{'out of date' if '--check' in sys.argv else 'wrote'}: docs/reference/{name}", err=True)
    return 1 if wrong and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
