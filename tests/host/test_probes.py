"""Probes against real servers and commands."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host import probes
from holdfast.host.live import Live, open_live
from holdfast.host.steps import ProbeHealth
from holdfast.manifest.model import CommandProbe, Health, HttpProbe, Probe, TcpProbe, UnitProbe
from tests.host.roots import blobs_of, make_root


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    with open_live(make_root(tmp_path / "root"), blobs=blobs_of()) as opened:
        yield opened


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/fine?x=1" else 404)
        self.end_headers()
        self.wfile.write(b"held fast")

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def _server() -> Generator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def _probe(live: Live, deadline: int, **wanted: Probe) -> None:
    probes.do(ProbeHealth(Health(wanted, deadline), ()), live)


def test_all_that_is_well(live: Live) -> None:
    with _server() as port:
        _probe(
            live,
            5,
            page=HttpProbe(f"http://127.0.0.1:{port}/fine?x=1", contains="fast"),
            gone=HttpProbe(f"http://127.0.0.1:{port}/", status=404),
            port=TcpProbe(port),
            command=CommandProbe(("true",)),
            unit=UnitProbe("no-systemd-here.service"),
        )


def test_everything_that_is_not_well_is_told_with_what_was_seen_of_it(live: Live) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        closed = unused.getsockname()[1]
    with _server() as port, pytest.raises(HoldfastError, match="not well after the change") as caught:
        _probe(
            live,
            0,
            status=HttpProbe(f"http://127.0.0.1:{port}/other"),
            text=HttpProbe(f"http://127.0.0.1:{port}/fine?x=1", contains="loose"),
            port=TcpProbe(closed),
            command=CommandProbe(("/bin/sh", "-c", "echo not yet; exit 4")),
            missing=CommandProbe(("/nowhere/program",)),
            fine=CommandProbe(("true",)),
        )
    lines = caught.value.details.splitlines()
    assert "probe 'command': exit code 4: not yet" in lines
    assert f"probe 'status': http://127.0.0.1:{port}/other answers with 404, not 200" in lines
    assert f"probe 'text': http://127.0.0.1:{port}/fine?x=1 answers without 'loose'" in lines
    assert any(line.startswith(f"probe 'port': 127.0.0.1:{closed}: ") for line in lines)
    assert any(line.startswith("probe 'missing': ") for line in lines) and len(lines) == 5


def test_they_are_tried_until_they_succeed(live: Live, tmp_path: Path) -> None:
    there = tmp_path / "tried"
    command = f"test -e {there} || {{ touch {there}; exit 1; }}"
    _probe(live, 5, late=CommandProbe(("/bin/sh", "-c", command)))
