from __future__ import annotations

import sys

import pytest

from benchmarks.measure import Sample, after, alternate, command

HOLD = "import time; held = b'x' * (20 << 20); time.sleep(0.5)"


@pytest.mark.slow
def test_memory_is_that_of_the_whole_tree_and_not_of_the_measuring_process() -> None:
    ballast = b"x" * (100 << 20)
    one = f'{sys.executable} -I -S -c "{HOLD}"'
    (alone,) = alternate(command(["/bin/sh", "-c", one]), rounds=1)
    (both,) = alternate(command(["/bin/sh", "-c", f"({one} & sleep 0.1) ; {one}"]), rounds=1)
    assert 20 << 10 <= alone.peak_kb < 40 << 10, "one process, and nothing of ours"
    assert 40 << 10 <= both.peak_kb < 80 << 10, "the one whose parent has ended counts, too"
    del ballast


def test_a_failing_program_is_an_error_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match=r"exit code 3\nno such luck"):
        command(["/bin/sh", "-c", "echo no such luck >&2; exit 3"])()


def test_subjects_alternate_each_after_its_own_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    monkeypatch.setattr("os.sync", lambda: order.append("sync"))

    def subject(name: str, *seconds: float) -> Sample:
        order.append(name)
        return Sample(seconds[order.count(name) - 1], 0)

    ours, peer = alternate(
        after(lambda: order.append("prepare"), lambda: subject("ours", 3, 1, 2)),
        lambda: subject("peer", 5, 9, 7),
    )
    assert order == ["prepare", "sync", "ours", "peer"] * 3
    assert (ours.seconds, peer.seconds) == (2, 7), "medians"
