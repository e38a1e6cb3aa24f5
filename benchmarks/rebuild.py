"""A rebuild after a one-line configuration change: the time an author waits between an edit and a bootable system."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from pathlib import Path

from benchmarks import peers, scratch
from benchmarks.measure import HOLDFAST, Row, after, alternate, command
from holdfast.base.process import run
from holdfast.distro.lockfile import read_lock

GOAL_SECONDS = 2.0
GOAL_RATIO = 0.1
PAGE = "srv/www/index.html"


def rows() -> Iterable[Row]:
    """The peer rebuilds incrementally: its image of the same packages is cached, one file of its extra tree changed."""
    project = scratch.example()
    place = scratch.place() / "rebuild"
    (locked,) = read_lock(project.directory / "holdfast.lock").sets.values()
    peers.make_repository(locked, place / "repository")
    numbers = count(1)
    ours = command(scratch.BUILD, env=project.env, cwd=project.directory)
    with peers.mkosi(locked, place / "repository", place / "mkosi", incremental=True) as mkosi:
        changed = place / "mkosi/mkosi.extra" / PAGE
        changed.parent.mkdir(parents=True)
        changed.write_text(page(0))
        mkosi()  # fills its cache
        made, other = alternate(
            after(lambda: edit(project.directory / "systems.py", next(numbers)), ours),
            after(lambda: changed.write_text(page(next(numbers))), mkosi),
            rounds=5,
        )
    (unchanged,) = alternate(ours, rounds=5)
    last = next(numbers) - 1
    boot = [HOLDFAST, "run", "web", "--", "cat", f"/{PAGE}"]
    _expect(run(boot, cwd=project.directory, env=project.env).text, page(last - 1))
    _expect((place / "mkosi/out/image" / PAGE).read_text(), page(last))
    yield Row(
        "rebuild after a configuration change",
        made,
        f"<= {GOAL_RATIO}x, <= {GOAL_SECONDS:g} s",
        made.seconds <= min(GOAL_SECONDS, GOAL_RATIO * other.seconds),
        "starting Python and evaluating, activating the configuration layer, packing it with fsync",
        "mkosi, incremental",
        other,
    )
    bound = "starting Python, evaluating, checking the cache"
    yield Row("build with nothing to do", unchanged, "-", True, bound)


def page(number: int) -> str:
    return f"<h1>Held fast, {number}.</h1>\n"


def edit(file: Path, number: int) -> None:
    """One line changed, to something it never was."""
    lines = file.read_text().splitlines(keepends=True)
    place = next(index for index, line in enumerate(lines) if "Held fast" in line)
    lines[place] = f'    m[Files]["/{PAGE}"].text = {page(number)!r}\n'
    file.write_text("".join(lines))


def _expect(found: str, wanted: str) -> None:
    if found != wanted:
        raise RuntimeError(f"the last rebuild did not take up the change: {found!r} instead of {wanted!r}")
