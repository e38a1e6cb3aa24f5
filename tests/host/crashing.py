"""Runs that end in the middle, in a process of their own, and what one compares afterwards."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from holdfast.host import operations
from holdfast.host.change import Wanted
from holdfast.host.live import Live, open_live
from holdfast.host.state import State, read_state
from holdfast.manifest.model import Manifest
from tests.host.roots import Seen, blobs_of, snapshot

HOME = "var/lib/holdfast/host"
_CRASHED = 77


def switch(root: Path, manifest: Manifest) -> operations.SwitchResult:
    with open_live(root, blobs=blobs_of()) as live:
        return operations.switch(live, Wanted(manifest))


def in_a_child(root: Path, work: Callable[[Live], object], *, crash_at: int) -> bool:
    """Run ``work`` in a child that vanishes at the given checkpoint, counted from 0; whether it got that far."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with open_live(root, blobs=blobs_of()) as live:
                count = 0

                def checkpoint(_where: str) -> None:
                    nonlocal count
                    if count == crash_at:
                        os._exit(_CRASHED)
                    count += 1

                live.checkpoint = checkpoint
                work(live)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, _CRASHED), code
    return code == _CRASHED


def killed(root: Path, work: Callable[[Live], object], wait: Callable[[], object]) -> bool:
    """Run ``work`` in a child that gets SIGKILL when ``wait`` returns; whether that came in time."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            with open_live(root, blobs=blobs_of()) as live:
                work(live)
            status = 0
        finally:
            os._exit(status)
    wait()
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), code
    return code == -signal.SIGKILL


def seen(root: Path) -> tuple[dict[str, Seen], State | None]:
    """The whole tree, and the state without what differs from run to run."""
    path = root / HOME / "state.json"
    state = replace(read_state(path.read_bytes()), transaction="") if path.exists() else None
    everything = snapshot(root, without=(f"/{HOME}/state.json", f"/{HOME}/lock"))
    return everything, state
