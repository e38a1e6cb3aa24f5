"""A script on this machine, as on any other."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from holdfast.deploy.transport import LocalTransport, run


def test_what_is_abandoned_ends_at_once() -> None:
    transport, began = LocalTransport(), time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        sleeping = pool.submit(run, transport, "exec sleep 60", as_root=False)
        while not sleeping.running():
            time.sleep(0.01)
        transport.abandon()
        assert sleeping.result().code != 0
    assert run(transport, "exec sleep 60", as_root=False).code != 0, "nothing more begins"
    assert time.monotonic() - began < 10
