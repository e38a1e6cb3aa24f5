from __future__ import annotations

import pytest

from holdfast.deploy.probing import Probe, probe, read_probe, settle_rights
from holdfast.deploy.results import UnreachableError
from holdfast.deploy.transport import LocalTransport

TEXT = "Welcome!\nsudo={sudo}\nengine=no\n"


def a_probe(sudo: str) -> Probe:
    return read_probe(TEXT.format(sudo=sudo))


def test_this_machine_answers() -> None:
    found = probe(LocalTransport(), "0" * 64)
    assert found.sudo in ("root", "free", "password", "none")
    assert not found.engine
    assert not found.packages


def test_packages_are_those_that_are_installed() -> None:
    found = read_probe(
        TEXT.format(sudo="root") + "package=bash 5.2 amd64 installed\npackage=old 1 all config-files\n"
    )
    assert found.packages == {("bash", "5.2", "amd64")}


def test_how_to_be_root() -> None:
    def way(sudo: str, password: str | None = None, terminal: bool = False) -> str:
        return settle_rights("web", a_probe(sudo), password=password, terminal=terminal).way

    assert way("root") == "none"
    assert way("free", "hush") == "sudo"
    assert way("password", "hush") == "password"
    assert way("password", terminal=True) == "terminal"
    with pytest.raises(UnreachableError, match="there is no sudo"):
        way("none", "hush")
    with pytest.raises(UnreachableError, match="only root may do that on this machine"):
        settle_rights("local", a_probe("none"), password=None, terminal=True)
    with pytest.raises(UnreachableError, match="asks for a password") as caught:
        way("password")
    assert "--ask-sudo-password" in caught.value.resolution
