"""The commands that a page of the documentation shows, and running them as a reader would type them.

- A line of an indented block is a command, which must succeed.
- In a ``console`` block, a line after ``$`` is a command; what is shown below it is what it prints as its result. Where that begins with
  ``error:``, the command must fail and say so. A line ``...`` stands for any lines.
- A Python block that begins with ``# NAME.py`` is that file.
- ``<!-- before: COMMAND -->`` sets the stage for what follows.
- ``<!-- on: MACHINE -->``: what follows is typed in a shell on that machine, ``<!-- on: here -->`` in a new one here.

A block with a make target in it, or shown as what one prints, is the Makefile's; it is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Protocol

HERE = "here"
_BLOCK = re.compile(
    r"^```(?P<language>\w*)\n(?P<fenced>(?:.*\n)*?)```$|^(?P<indented>(?:    .*\n)+)|^<!-- before: (?P<before>.*) -->$"
    r"|^<!-- on: (?P<on>.*) -->$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Command:
    """One line to type."""

    line: int
    text: str
    shown: str | None = None
    """What the page says it prints; None where it says nothing."""
    on: str = HERE
    """The machine whose shell it is typed into."""

    @property
    def fails(self) -> bool:
        return self.shown is not None and self.shown.startswith("error: ")


def commands(page: str) -> Iterator[Command]:
    """The commands of a page in Markdown, files to write included."""
    on = HERE
    for found in _BLOCK.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        introduction = page[: found.start()].rstrip().rpartition("\n\n")[2]
        on = found["on"] or on
        for command in _of_block(found, line, introduction):
            yield replace(command, on=on)


def _of_block(found: re.Match[str], line: int, introduction: str) -> Iterator[Command]:
    if before := found["before"]:
        yield Command(line, before)
    elif block := found["indented"]:
        if not re.search(r"^ *make ", block, re.MULTILINE):
            for number, text in enumerate(block.splitlines()):
                yield Command(line + number, text.strip())
    elif found["language"] == "python" and (name := re.match(r"# ([\w/]+\.py)\n", found["fenced"])):
        yield Command(line, f"cat > {name[1]} <<'END OF FILE'\n{found['fenced']}END OF FILE")
    elif found["language"] == "console" and "`make " not in introduction:
        yield from _dialogue(found["fenced"], line + 1)


def _dialogue(block: str, line: int) -> Iterator[Command]:
    for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE):
        if part:
            command, _, shown = part.removeprefix("$ ").partition("\n")
            yield Command(line, command, shown)
        line += part.count("\n")


class Shell(Protocol):
    """Somewhere to type."""

    def run(self, script: str) -> None:
        """Run a script for bash to its end, whatever its exit code."""
        ...


def perform(
    page: Sequence[Command], shells: Mapping[str, Shell], notes: Path
) -> Iterator[tuple[Command, int, str, str]]:
    """Type the commands, up to the first that does not end as it should: exit code, stdout, stderr of each.

    Neighbours on one machine share a shell. ``notes`` is a directory that all shells see.
    """
    numbered = list(enumerate(page))
    for on, group in groupby(numbered, key=lambda pair: pair[1].on):
        part = list(group)
        shells[on].run("code=0\n" + "".join(_typed(one, f"{notes}/{n}") for n, one in part))
        for n, one in part:
            if not (notes / f"{n}.code").exists():
                return
            code = int((notes / f"{n}.code").read_text())
            yield one, code, (notes / f"{n}.out").read_text(), (notes / f"{n}.err").read_text()


def _typed(one: Command, note: str) -> str:
    """It finds the exit code of the one before in ``$?``, as a person's would."""
    return (
        f"(exit $code); {{ {one.text}\n}} >{note}.out 2>{note}.err\n"
        f"code=$?; echo $code >{note}.code; [ $code {'-ne' if one.fails else '-eq'} 0 ] || exit 0\n"
    )


def agrees(said: str, shown: str) -> bool:
    """What was printed is what the page shows."""
    if shown.strip().isdigit():
        return said.strip() == shown.strip()
    parts = [re.escape(essence(part)) for part in re.split(r"^ *\.\.\.$", shown, flags=re.MULTILINE)]
    return re.fullmatch(r"\s*(?:.*\n)?\s*".join(parts), essence(said), re.DOTALL) is not None


def essence(text: str) -> str:
    """``text`` without what differs from run to run: digests, numbers with the unit after them, and how wide columns are.

    Exit codes stay.
    """
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", text)
    text = re.sub(r"(?<!exit code )\b\d[\d.]*( [kMG]?B| s| packages)?\b", "N", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()
