"""A script on this machine, as on any other."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.deploy.calling import call
from holdfast.deploy.pushing import push
from holdfast.deploy.transport import LocalTransport, run_script
from holdfast.engine.launch import start_script
from holdfast.store import open_store


def test_what_is_abandoned_ends_at_once() -> None:
    transport, began = LocalTransport(), time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(run_script, transport, "exec sleep 60", as_root=False)
        while not sleeping.running():
            time.sleep(0.01)
        transport.abandon()
        assert sleeping.result().code != 0
    assert run_script(transport, "exec sleep 60", as_root=False).code != 0, "nothing more begins"
    assert time.monotonic() - began < 10


def test_an_engine_that_somebody_removed_meanwhile(tmp_path: Path) -> None:
    """Two versions stay on a machine: a third author's takes the first one's away."""
    transport, script = LocalTransport(), start_script("0" * 64)
    with pytest.raises(HoldfastError, match="is gone") as caught:
        call(transport, script, ["version"], print)
    assert "run the command again" in caught.value.resolution
    store = open_store(tmp_path / "store")
    artifact = store.put_artifact("application/x-test", b"{}", "application/json")
    with pytest.raises(HoldfastError, match="is gone"):
        push(transport, script, store, artifact, print)
    store.close()
