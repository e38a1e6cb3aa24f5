"""The seccomp fall-back, which a machine that allows namespaces would otherwise never use."""

from __future__ import annotations

import ctypes
import os
import platform
import socket

import pytest

from holdfast.base.codec import JSON
from holdfast.project import isolation
from holdfast.project.isolated import call_isolated
from holdfast.project.isolation import Isolation, isolate, socket_filter

KNOWN = platform.machine() in {"x86_64", "aarch64"}


def test_unknown_machines_have_no_filter() -> None:
    assert socket_filter("vax") is None


@pytest.mark.skipif(not KNOWN, reason="the filter knows x86_64 and aarch64")
def test_the_filter_refuses_internet_sockets_and_allows_unix_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.project.isolated.isolate", lambda: Isolation.NONE)

    def probe() -> JSON:
        assert isolation._filter_sockets(ctypes.CDLL(None, use_errno=True))  # pyright: ignore[reportPrivateUsage]
        found: dict[str, JSON] = {}
        for name in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"):
            try:
                socket.socket(getattr(socket, name), socket.SOCK_DGRAM).close()
            except PermissionError:
                found[name] = "refused"
            else:
                found[name] = "allowed"
        return found

    assert call_isolated(probe, timeout=10, what="a test").value == {
        "AF_INET": "refused",
        "AF_INET6": "refused",
        "AF_UNIX": "allowed",
        "AF_NETLINK": "refused",
    }


@pytest.mark.skipif(not KNOWN, reason="the filter knows x86_64 and aarch64")
def test_where_namespaces_are_refused_the_filter_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_CLONE_NEWNET", 0x00000001)  # not a flag that unshare(2) knows: EINVAL
    assert call_isolated(lambda: 1, timeout=10, what="a test").isolation is Isolation.SECCOMP


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes nobody")
def test_as_nobody_a_user_namespace_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def as_nobody() -> Isolation:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
        return isolate()

    monkeypatch.setattr("holdfast.project.isolated.isolate", as_nobody)
    answer = call_isolated(lambda: [os.geteuid(), os.getegid()], timeout=10, what="a test")
    assert answer.isolation in {Isolation.USER_NAMESPACE, Isolation.SECCOMP}
    assert answer.value == [65534, 65534]
