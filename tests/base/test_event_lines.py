from __future__ import annotations

import pytest

from holdfast.base.event_lines import event_line, read_event
from holdfast.base.events import Event, Message, OutputLine, StageAdvanced, StageEnded, StageStarted


@pytest.mark.parametrize(
    "event",
    [
        StageStarted(3, None, "Fetching", 12, "bytes"),
        StageStarted(4, 3, "Größe", None, ""),
        StageAdvanced(3, 7),
        StageEnded(3, "Fetching", 1.25, False, "cached"),
        Message("warning", "odd"),
        OutputLine('a "quoted" line\t\x1b'),
    ],
)
def test_every_event_comes_back(event: Event) -> None:
    assert read_event(event_line(event)) == event
    assert "\n" not in event_line(event)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Traceback (most recent call last):",
        "[1]",
        '{"event": "later"}',
        '{"event": "message", "level": "loud", "text": "x"}',
        '{"event": "stage-advanced", "stage": true, "done": 1}',
        '{"event": "stage-advanced", "stage": 1}',
    ],
)
def test_anything_else_is_no_event(line: str) -> None:
    assert read_event(line) is None
