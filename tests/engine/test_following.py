"""Following a run that another process does, as the foreground command follows its unit."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.event_lines import event_line
from holdfast.base.events import Event, Message, StageEnded, StageStarted, listen
from holdfast.base.process import spawn
from holdfast.engine import following, runs
from holdfast.engine.runs import Result, Run

pytestmark = pytest.mark.slow  # it starts programs or waits for them

WORKER = """
import sys, time
from pathlib import Path
from holdfast.engine.runs import Result, Run
run = Run(Path(sys.argv[1]))
run.claim()
def wait_for(name):
    while not (run.directory / name).exists():
        time.sleep(0.005)
exec(sys.argv[2])
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return runs.start(["switch", "--verbose"], colour=False, home=tmp_path / "holdfast")


@contextmanager
def worker(run: Run, script: str) -> Generator[None]:
    with spawn([sys.executable, "-c", WORKER, str(run.directory), script]):
        yield


def follow(run: Run) -> tuple[Result, list[Event]]:
    events: list[Event] = []
    with listen(events.append):
        return following.follow(run), events


def test_events_and_result_arrive(run: Run) -> None:
    first, second = StageStarted(1, None, "Grüße", None, ""), StageEnded(1, "Grüße", 0.5, False, "")
    script = f"""
with run.events.open("a", buffering=1) as events:
    events.write({event_line(first)!r} + "\\n")
    time.sleep(0.05)
    line = {event_line(second)!r}
    events.write(line[:20]); events.flush()
    time.sleep(0.05)
    events.write(line[20:] + "\\n")
    events.write("garbage\\n")
run.finish(Result(7, {{"empty": False}}, ("a", "b"), None))
time.sleep(60)
"""
    with worker(run, script):
        result, events = follow(run)
    assert result == Result(7, {"empty": False}, ("a", "b"), None)
    assert events == [first, second]


def test_an_error_arrives(run: Run) -> None:
    error = {"brief": "no", "details": "why", "resolution": "do", "exit_code": 3}
    with worker(run, f"run.finish(Result(3, None, (), {error!r}))"):
        result, _ = follow(run)
    assert (result.code, result.error) == (3, error)


def test_events_come_while_it_works(run: Run) -> None:
    """Each is answered by the one who follows, so that a follower who reads only at the end would wait forever."""
    script = f"""
for number in range(5):
    with run.events.open("a") as events:
        events.write({event_line(Message("info", "MARK"))!r}.replace("MARK", str(number)) + "\\n")
    wait_for(str(number))
run.finish(Result(0, None, (), None))
"""

    def answer(event: Event) -> None:
        assert isinstance(event, Message)
        (run.directory / event.text).touch()

    with worker(run, script), listen(answer):
        assert following.follow(run).code == 0


def test_a_killed_worker_is_told_at_once(run: Run) -> None:
    started = time.monotonic()
    with (
        worker(run, "import os; time.sleep(0.1); os.kill(os.getpid(), 9)"),
        pytest.raises(
            HoldfastError, match=r"`holdfast switch --verbose`, started at .* was killed"
        ) as caught,
    ):
        follow(run)
    assert caught.value.exit_code == 4
    assert time.monotonic() - started < 5


def test_a_unit_that_never_begins_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_BEGIN_SECONDS", 0.1)
    with pytest.raises(HoldfastError, match="did not start"):
        follow(run)


@pytest.mark.slow
def test_without_inotify_and_pidfd(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(number: int) -> int:
        raise OSError(38, "Function not implemented")

    @contextmanager
    def blind(directory: Path) -> Generator[None]:
        yield None

    monkeypatch.setattr(os, "pidfd_open", refuse)
    monkeypatch.setattr(following, "_watch", blind)
    with worker(run, "time.sleep(0.3); run.finish(Result(0, None, (), None)); time.sleep(0.3)"):
        assert follow(run)[0].code == 0
        assert following.wait_for_end(run, 20)


@pytest.mark.slow
def test_it_does_not_burn_the_processor(run: Run) -> None:
    with worker(run, "time.sleep(1.0); run.finish(Result(0, None, (), None))"):
        while not run.has_begun:
            time.sleep(0.01)
        before = time.thread_time()
        follow(run)
    assert time.thread_time() - before < 0.2


def test_several_may_follow(run: Run) -> None:
    with worker(run, "time.sleep(0.2); run.finish(Result(0, None, (), None)); time.sleep(30)"):
        codes: list[int] = []
        threads = [
            threading.Thread(target=lambda: codes.append(following.follow(run).code)) for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert codes == [0, 0, 0]
    assert following.follow(run).code == 0  # also when it has long been over


def test_waiting_for_the_end(run: Run) -> None:
    assert run.process is None
    with worker(run, "time.sleep(0.5)"):
        while not run.has_begun:
            time.sleep(0.01)
        assert run.process is not None
        assert not following.wait_for_end(run, 0.05)
        assert following.wait_for_end(run, 20)
    assert run.process is None


def test_a_number_given_again_is_not_taken_for_the_worker(run: Run) -> None:
    run.claim()
    assert run.process is not None
    text = (run.directory / "process.json").read_text()
    (run.directory / "process.json").write_text(text.replace('"start": "', '"start": "9'))
    assert run.process is None


@pytest.mark.slow
def test_old_runs_go_and_the_last_stays(tmp_path: Path) -> None:
    home = tmp_path / "holdfast"
    made: list[Run] = []
    for number in range(4):
        run = runs.start([str(number)], colour=False, home=home)
        with worker(run, "run.finish(Result(0, None, (), None))"):
            follow(run)
            following.wait_for_end(run, 20)
        runs.make_last(run, home=home)
        made.append(run)
    last = runs.last(home)
    assert last is not None
    assert last.request.arguments == ("3",)
    assert {path.name for path in (home / "runs").iterdir()} == {run.directory.name for run in made[2:]}
    assert (home / "runs").stat().st_mode & 0o777 == 0o700


def test_no_run_yet(tmp_path: Path) -> None:
    assert runs.last(tmp_path / "nothing") is None


def test_what_somebody_still_follows_is_not_removed(tmp_path: Path) -> None:
    """A terminal that was stopped reads its result after many other runs."""
    home = tmp_path / "holdfast"

    def over(number: int) -> Run:
        run = runs.start([str(number)], colour=False, home=home)
        runs.make_last(run, home=home)
        (run.directory / "process.json").write_text(json.dumps({"process": 1, "start": "never"}))
        return run

    first = over(1)
    with first.held():
        others = [over(number) for number in range(2, 5)]
        assert first.directory.is_dir()
        assert not others[0].directory.exists()
    over(5)
    assert not first.directory.exists()
