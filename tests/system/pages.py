"""The commands that a page of the documentation shows, and running them as a reader would type them.

- A line of an indented block is a command, which must succeed.
- In a ``console`` block, a line after ``$`` is a command; what is shown below it is what it prints as its result. Where that begins with
  ``error:``, the command must fail and say so.
- A Python block that begins with ``# NAME.py`` is that file.
- ``<!-- before: COMMAND -->`` sets the stage for what follows.

A block with a make target in it, or shown as what one prints, is the Makefile's; it is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.base.process import run

_BLOCK = re.compile(
    r"^```(?P<language>\w*)\n(?P<fenced>(?:.*\n)*?)```$|^(?P<indented>(?:    .*\n)+)|^<!-- before: (?P<before>.*) -->$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Command:
    """One line to type."""

    line: int
    text: str
    shown: str | None = None
    """What the page says it prints; None where it says nothing."""

    @property
    def fails(self) -> bool:
        return self.shown is not None and self.shown.startswith("error: ")


def commands(page: str) -> Iterator[Command]:
    """The commands of a page in Markdown, files to write included."""
    for found in _BLOCK.finditer(page):
        line = page.count("\n", 0, found.start()) + 1
        introduction = page[: found.start()].rstrip().rpartition("\n\n")[2]
        if before := found["before"]:
            yield Command(line, before)
        elif block := found["indented"]:
            if not re.search(r"^ *make ", block, re.MULTILINE):
                for number, text in enumerate(block.splitlines()):
                    yield Command(line + number, text.strip())
        elif found["language"] == "python" and (name := re.match(r"# (\w+\.py)\n", found["fenced"])):
            yield Command(line, f"cat > {name[1]} <<'END OF FILE'\n{found['fenced']}END OF FILE")
        elif found["language"] == "console" and "`make " not in introduction:
            yield from _dialogue(found["fenced"], line + 1)


def _dialogue(block: str, line: int) -> Iterator[Command]:
    for part in re.split(r"^(?=\$ )", block, flags=re.MULTILINE):
        if part:
            command, _, shown = part.removeprefix("$ ").partition("\n")
            yield Command(line, command, shown)
        line += part.count("\n")


def perform(
    page: Sequence[Command], directory: Path, env: Mapping[str, str], *, notes: Path, timeout: float
) -> Iterator[tuple[Command, int, str, str]]:
    """Type the commands into one shell, up to the first that does not end as it should: exit code, stdout, stderr of each."""
    script = "".join(
        f"{{ {one.text}\n}} >{notes}/{n}.out 2>{notes}/{n}.err\n"
        f"code=$?; echo $code >{notes}/{n}.code; [ $code {'-ne' if one.fails else '-eq'} 0 ] || exit 0\n"
        for n, one in enumerate(page)
    )
    run(["bash", "-c", script], cwd=directory, env=env, timeout=timeout)
    for n, one in enumerate(page):
        if not (notes / f"{n}.code").exists():
            return
        code = int((notes / f"{n}.code").read_text())
        yield one, code, (notes / f"{n}.out").read_text(), (notes / f"{n}.err").read_text()


def essence(text: str) -> str:
    """``text`` without what differs from run to run: digests, numbers with the unit after them, and how wide columns are."""
    text = re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", text)
    text = re.sub(r"\b\d[\d.]*( [kMG]?B| s| packages)?\b", "N", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()
