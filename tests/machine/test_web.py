from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.machine.results import HttpResponse
from holdfast.machine.web import get


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f'{{"path": "{self.path}", "host": "{self.headers["Host"]}", "x": "{self.headers["X"]}"}}'.encode()
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Answer", "yes")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
        pass


@pytest.fixture
def server() -> Generator[int]:
    with HTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield int(server.server_address[1])
        server.shutdown()
        thread.join()


def fetch(url: str, **headers: str) -> HttpResponse:
    def connect(host: str, port: int, seconds: float) -> socket.socket:
        return socket.create_connection((host, port), seconds)

    return get(url, headers, 5, connect, "web")


def test_what_is_no_url_is_told(server: int) -> None:
    for url in ("http://a:99999/", "http://[::1", "ftp://a/", "http:///x"):
        with pytest.raises(HoldfastError, match="is no"):
            fetch(url)
    assert fetch(f"http://me:secret@127.0.0.1:{server}/").json() == {
        "path": "/",
        "host": f"127.0.0.1:{server}",
        "x": "None",
    }


def test_an_answer_is_typed(server: int) -> None:
    answer = fetch(f"http://127.0.0.1:{server}/a?b=c", X="1")
    assert answer.status == 200
    assert answer.headers["x-answer"] == "yes"
    assert answer.json() == {"path": "/a?b=c", "host": f"127.0.0.1:{server}", "x": "1"}
    assert fetch(f"http://127.0.0.1:{server}/missing").status == 404


def test_no_answer_and_bad_answers_are_errors_of_ours() -> None:
    for url in ("ftp://x/", "nonsense", "http:///x"):
        with pytest.raises(HoldfastError, match="is no http or https URL"):
            fetch(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(HoldfastError, match="gave no valid HTTP answer"):
            fetch(f"http://127.0.0.1:{port}/")
        thread.join()
    with pytest.raises(HoldfastError, match="cannot be fetched on web"):
        fetch(f"http://127.0.0.1:{port}/")
