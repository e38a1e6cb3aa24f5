from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.distro.debian.family import DebianFamily
from holdfast.distro.debian.solve import Apt
from holdfast.distro.lockfile import PackageSet
from holdfast.distro.tools import KEYRING, TOOLS, machine_architecture, tools_request, tools_tree
from holdfast.store import Store


def test_the_table_is_consistent() -> None:
    assert len({tool.program for tool in TOOLS}) == len(TOOLS)
    assert {tool.group for tool in TOOLS} == {"tools", "bench"}
    peers = {"mmdebstrap", "mkosi", "nix-bin"}
    assert peers <= {tool.package for tool in TOOLS if tool.group == "bench"}
    assert not peers & set(tools_request("tools").install)
    assert KEYRING in tools_request("bench").install


def test_an_unknown_group_names_those_there_are() -> None:
    with pytest.raises(HoldfastError, match="unknown group of tools 'tool'; did you mean 'tools'"):
        tools_request("tool")  # type: ignore[arg-type]


def test_an_unknown_machine_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "vax")
    with pytest.raises(HoldfastError, match="a machine of the architecture vax"):
        machine_architecture()


@pytest.mark.system
@pytest.mark.network
@pytest.mark.slow
def test_every_tool_runs_and_the_tree_is_made_once(shared_store: Store) -> None:
    tree = tools_tree(shared_store)
    with tree.enter() as inside:
        for tool in TOOLS:
            if tool.group == "tools":
                inside.run(["sh", "-c", f"command -v {tool.program}"])
        for program in ("skopeo", "umoci", "gpgv", "apt-get"):
            inside.run([program, "--version"])
    assert tools_tree(shared_store) == tree


@pytest.mark.system
@pytest.mark.network
@pytest.mark.slow
def test_the_tools_trees_apt_chooses_what_the_machines_does(
    shared_store: Store, package_set: Callable[..., PackageSet]
) -> None:
    known = package_set("trixie")
    family = DebianFamily(Apt(tools_tree(shared_store)))
    found = family.resolve(shared_store, known.distribution, known.request, known)
    assert found.packages == known.packages
    assert found.sources == known.sources
    assert found.resolver.startswith("apt 3.")
