from __future__ import annotations

import pytest

from holdfast.library.network import check_interface, check_listen, parse_range, public_port


def test_a_range_is_a_pair() -> None:
    assert parse_range("8000-8010") == (8000, 8010)


@pytest.mark.parametrize("text", ["80", "80-", "a-b", "0-5", "9-8", "1-70000", "1-2-3", "١-٢"])
def test_bad_ranges_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a range of ports"):
        parse_range(text)


@pytest.mark.parametrize("name", ["", 'e"th', "a b", "x" * 16, "a/b"])
def test_bad_interfaces_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not the name of a network interface"):
        check_interface(name)


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("80", 80),
        ("0.0.0.0:8080", 8080),
        ("[::]:443", 443),
        ("127.0.0.1:80", None),
        ("[::1]:80", None),
        ("unix:/run/a", None),
    ],
)
def test_public_ports(address: str, port: int | None) -> None:
    assert check_listen(address) == address
    assert public_port(address) == port
