"""Ports, interfaces and addresses as people write them."""

from __future__ import annotations

import re

_LISTEN = r"(?:(?P<address>\[[0-9a-fA-F:.]+\]|\*|[A-Za-z0-9.-]+):)?(?P<port>[0-9]{1,5})"
_SPECIAL = r"[\s;{}\"'\\#]"


def check_interface(name: str) -> str:
    """``name`` when it can name a network interface (``eth0``, or ``wg*`` for all that begin so).

    Raises:
        ValueError: it cannot.
    """
    if not 0 < len(name) <= 15 or any(char in name for char in '"/\\ \t\n') or not name.isprintable():
        raise ValueError(
            f"{name!r} is not the name of a network interface: up to 15 characters, no space, / or quote"
        )
    return name


def parse_range(text: str) -> tuple[int, int]:
    """``8000-8010`` as a pair.

    Raises:
        ValueError: no such range of ports from 1 to 65535.
    """
    low, dash, high = text.partition("-")
    if not (dash and low.isascii() and low.isdigit() and high.isascii() and high.isdigit()):
        raise ValueError(f"{text!r} is not a range of ports: write 8000-8010")
    if not 1 <= int(low) <= int(high) <= 65535:
        raise ValueError(f"{text!r} is not a range of ports from 1 to 65535, the lower one first")
    return int(low), int(high)


def check_listen(address: str) -> str:
    """``address`` when nginx can listen on it: ``80``, ``127.0.0.1:80``, ``[::]:80``, ``*:80`` or ``unix:/run/x.sock``.

    Raises:
        ValueError: it cannot.
    """
    if address.startswith("unix:/") and not re.search(_SPECIAL, address):
        return address
    match = re.fullmatch(_LISTEN, address)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise ValueError(
            f"nginx cannot listen on {address!r}: write 80, 127.0.0.1:80, [::]:80 or unix:/run/web.sock"
        )
    return address


def public_port(address: str) -> int | None:
    """The TCP port others can reach it at; None for sockets in the file system and loopback addresses."""
    match = re.fullmatch(_LISTEN, address)
    if match is None or (match["address"] or "").startswith(("127.", "localhost", "[::1]")):
        return None
    return int(match["port"])
