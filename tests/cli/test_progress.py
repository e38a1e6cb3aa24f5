from __future__ import annotations

import io
import json
import time

import pytest
from rich.console import Console

from holdfast.base.errors import HoldfastError
from holdfast.base.events import OutputLine, emit, message, stage
from holdfast.cli import live
from holdfast.cli.failures import show_error
from holdfast.cli.outcomes import write_results
from holdfast.cli.progress import describe_amount, show_progress, show_warnings
from holdfast.deploy.results import HostResult

pytestmark = pytest.mark.slow  # it starts programs or waits for them


def work() -> None:
    with stage("Building web"):
        with stage("Fetching packages", total=2, unit="packages") as fetching:
            fetching.advance()
            fetching.advance()
            fetching.note = "170 packages"
        emit(OutputLine("Setting up libc6"))
        message("something is odd", level="warning")


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress():
        work()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "Building web",
        "  Fetching packages (170 packages): 0.0 s",
        "warning: something is odd",
        "Building web: took 0.0 s",
    ]


HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\rd[/x]"
"""What would name a terminal, clear it and overwrite a line, and break the markup of what draws."""


def test_nothing_that_is_told_steers_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell() -> None:
        with stage(HOSTILE) as outer, stage(HOSTILE) as inner:
            outer.note = inner.note = HOSTILE
            message(f"{HOSTILE}\nsecond line")
            emit(OutputLine(HOSTILE))

    drawn = io.StringIO()
    monkeypatch.setattr(live, "Console", lambda **_: Console(file=drawn, width=200))
    with live.live_display():
        tell()
    with show_progress(verbose=True):
        tell()
    show_error(HoldfastError(HOSTILE, details=f"{HOSTILE}\nsecond line", resolution=HOSTILE))
    write_results([HostResult("web", None, "changed", lines=(f"\x1b[32m{HOSTILE}\x1b[0m",))], planning=False)
    captured = capsys.readouterr()
    for text in (drawn.getvalue(), captured.err, captured.out):
        assert text.count("a\\x1b]0;title\\x07b\\x1b[2Jc\\rd[/x]") >= 1
        assert all(line.isprintable() for line in text.split("\n")), repr(text)
    assert "\n  second line\n" in captured.err


def test_verbose_shows_what_programs_print(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(verbose=True):
        work()
    assert "    | Setting up libc6" in capsys.readouterr().err


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(as_json=True):
        work()
    captured = capsys.readouterr()
    events = [json.loads(line) for line in captured.err.splitlines()]
    assert captured.out == ""
    assert [event["event"] for event in events] == [
        "stage-started",
        "stage-started",
        "stage-advanced",
        "stage-ended",
        "output",
        "message",
        "stage-ended",
    ]
    assert events[1]["parent"] == events[0]["stage"]
    assert events[1]["total"] == 2
    assert events[-1]["seconds"] == round(events[-1]["seconds"], 3)


def test_a_failed_stage_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), show_progress(), stage("Building web"):
        raise ValueError("no")
    assert capsys.readouterr().err.startswith("Building web: failed after 0.0 s")


def test_short_commands_show_messages_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with show_warnings():
        work()
    assert capsys.readouterr().err == "warning: something is odd\n"


def test_the_live_display_leaves_finished_stages_above(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=100)
    monkeypatch.setattr(live, "Console", lambda **_: terminal)
    with live.live_display():
        work()
    text = drawn.getvalue()
    assert "✓" in text
    assert "Building web" in text
    assert "something is odd" in text


def test_nothing_is_drawn_over_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """ssh(1) asks on the terminal by itself: the next drawing of the display would erase its question."""
    drawn = io.StringIO()
    terminal = Console(file=drawn, force_terminal=True, width=100)
    monkeypatch.setattr(live, "Console", lambda **_: terminal)
    with live.live_display() as pause:
        with stage("Reaching web"), pause():
            time.sleep(0.05)
            before = len(drawn.getvalue())
            time.sleep(0.25)  # more than between two drawings
            assert len(drawn.getvalue()) == before
        assert "Reaching web" in drawn.getvalue()[before:]


def test_a_bar_is_drawn_where_there_is_something_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = io.StringIO()
    monkeypatch.setattr(
        live, "Console", lambda **_: Console(file=drawn, force_terminal=True, width=100, color_system=None)
    )
    with live.live_display(), stage("Building"), stage("Fetching", total=2, unit="packages") as fetching:
        fetching.advance()
        with stage("Checking"):  # its end draws the rest anew
            pass
    rows = drawn.getvalue().splitlines()
    assert any("Fetching" in row and "━" in row for row in rows)
    assert not any("Building" in row and "━" in row for row in rows)


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [
        (999, "bytes", "999 B"),
        (1_234_567, "bytes", "1.2 MB"),
        (5_000_000_000_000, "bytes", "5000.0 GB"),
        (170, "packages", "170 packages"),
        (3, "", "3"),
    ],
)
def test_amounts(amount: int, unit: str, text: str) -> None:
    assert describe_amount(amount, unit) == text
