"""A GET request over a connection that somebody else makes, for instance inside a network namespace."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from holdfast.base.errors import HoldfastError
from holdfast.machine.results import HttpResponse

Connect = Callable[[str, int, float], socket.socket]


def get(url: str, headers: Mapping[str, str], seconds: float, connect: Connect, where: str) -> HttpResponse:
    """Request ``url``. Certificates are not checked: a machine under test signs its own.

    Raises:
        HoldfastError: the URL is none, nobody answers, or the answer is no HTTP.
    """
    try:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
    except ValueError as error:
        raise HoldfastError(f"{url!r} is no URL: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HoldfastError(f"{url!r} is no http or https URL")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connected = connect(parts.hostname, port, seconds)
        connected.settimeout(seconds)
        if secure:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            connected = context.wrap_socket(connected, server_hostname=parts.hostname)
        connection = http.client.HTTPConnection(parts.hostname, port)
        connection.sock = connected
        try:
            connection.request(
                "GET",
                target,
                headers={"Host": parts.netloc.rpartition("@")[2], "Connection": "close", **headers},
            )
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return HttpResponse(answer.status, names, answer.read())
        finally:
            connection.close()
    except http.client.HTTPException as error:
        raise HoldfastError(f"{url} on {where} gave no valid HTTP answer: {error!r}") from error
    except OSError as error:
        raise HoldfastError(
            f"{url} cannot be fetched on {where}: {error}",
            resolution=f"See what listens there: machine.succeed('ss -ltnp'), or wait_for_open_port({port}).",
        ) from error
