from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks.measure import Row, Sample

BESIDE = Row("unpack", Sample(0.5, 2048), "<= 0.4x", False, "the disk", "cp", Sample(1.0, 512))
ALONE = Row("boot", Sample(12.34, 0), "<= 15 s", True, "systemd")


def test_every_module_with_rows_is_in_the_report_and_every_listed_one_has_them() -> None:
    directory = Path(bench.__file__).parent
    having = {path.stem for path in directory.glob("[a-z]*.py") if "\ndef rows()" in path.read_text()}
    assert having == set(bench.BENCHMARKS)
    assert all(callable(bench.rows_of(name)) for name in bench.BENCHMARKS)


def test_a_row_says_times_memory_ratio_goal_and_what_bounds_it() -> None:
    _, _, beside, alone = bench.report([BESIDE, ALONE]).splitlines()
    assert beside == "| unpack | 0.500 s | 2 MB | cp | 1.000 s | 0 MB | 0.50x | <= 0.4x | NO | the disk |"
    assert alone == "| boot | 12.3 s | - | - | - | - | - | <= 15 s | yes | systemd |"


def test_a_goal_that_is_not_met_is_no_failure_but_a_crash_is_and_hides_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missed() -> Iterable[Row]:
        return [BESIDE]

    def crashing() -> Iterator[Row]:
        yield ALONE
        raise RuntimeError("the peer is not there")

    monkeypatch.setattr(bench, "machine", lambda: "this machine")
    monkeypatch.setattr(bench, "rows_of", {"help": missed, "boot": crashing}.__getitem__)
    assert bench.main(["help"]) == 0
    assert "| NO |" in capsys.readouterr().out
    assert bench.main(["boot", "help"]) == 1
    told = capsys.readouterr()
    assert "| boot |" in told.out
    assert "| unpack |" in told.out
    assert "Not measured, since it failed: boot" in told.out
    assert "the peer is not there" in told.err


def test_an_unknown_benchmark_is_told_from_an_empty_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["hlep"]) == 2
    assert "no benchmark is called hlep; there are evaluate, help" in capsys.readouterr().err
