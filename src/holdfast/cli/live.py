"""The live display on a terminal: running stages with bars at the bottom, finished ones as lines above."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar
from rich.text import Text

from holdfast.base import events
from holdfast.base.events import Event, Message, StageAdvanced, StageEnded, StageStarted
from holdfast.base.style import printable_text
from holdfast.cli.progress import Pause, describe_amount

_SHORT_SECONDS = 0.05


class _AmountColumn(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        unit = str(task.fields.get("unit", ""))
        if not task.completed and task.total is None:
            return Text("")
        done = describe_amount(
            int(task.completed), unit if task.total is None else "" if unit != "bytes" else unit
        )
        if task.total is None:
            return Text(done, style="dim")
        return Text(f"{done} / {describe_amount(int(task.total), unit)}", style="dim")


class _KnownBarColumn(ProgressColumn):
    """A bar where there is something to measure; the spinner is enough for the rest."""

    def __init__(self) -> None:
        super().__init__()
        self._bar = BarColumn(bar_width=24)

    def render(self, task: Task) -> ProgressBar | Text:
        return Text() if task.total is None else self._bar.render(task)


@contextmanager
def live_display() -> Generator[Pause]:
    """Draw the events of the body on the terminal that stderr is."""
    console = Console(stderr=True)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[indent]}{task.description}", markup=False),  # root@[fe80::1] is no style
        _KnownBarColumn(),
        _AmountColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )

    @contextmanager
    def pause() -> Generator[None]:
        progress.stop()
        try:
            yield
        finally:
            progress.start()

    with progress, events.listen(_Drawing(progress, console)):
        yield pause


class _Drawing:
    """Not drawn: what programs print. A failed one's last lines are in its error; `--verbose` shows everything."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress = progress
        self._console = console
        self._lock = threading.RLock()
        self._tasks: dict[int, TaskID] = {}
        self._depths: dict[int, int] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            if isinstance(event, StageStarted):
                self._start(event)
            elif isinstance(event, StageAdvanced):
                if event.stage in self._tasks:
                    self._progress.update(self._tasks[event.stage], completed=event.done)
            elif isinstance(event, StageEnded):
                self._end(event)
            elif isinstance(event, Message):
                style = "yellow" if event.level == "warning" else ""
                self._console.print(Text(printable_text(event.text), style=style))

    def _start(self, event: StageStarted) -> None:
        depth = self._depths.get(event.parent, -1) + 1 if event.parent is not None else 0
        self._depths[event.stage] = depth
        self._tasks[event.stage] = self._progress.add_task(
            printable_text(event.title), total=event.total, unit=event.unit, indent="  " * depth
        )

    def _end(self, event: StageEnded) -> None:
        task = self._tasks.pop(event.stage, None)
        depth = self._depths.pop(event.stage, 0)
        if task is not None:
            self._progress.remove_task(task)
        if depth > 0 and event.seconds < _SHORT_SECONDS and not event.failed:
            return
        mark, style = ("✗", "red") if event.failed else ("✓", "green")
        line = Text("  " * depth)
        line.append(mark, style=style)
        line.append(f" {printable_text(event.title)}")
        line.append(f"  {printable_text(event.note)}" if event.note else "", style="dim")
        line.append(f"  {event.seconds:.1f} s", style="dim")
        self._progress.refresh()  # or the line would appear above the row that it replaces
        self._console.print(line)
