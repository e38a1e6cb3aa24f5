"""Packages and files changed as one, by the command's own verbs."""

from __future__ import annotations

import pytest

from holdfast.manifest.model import CommandProbe, Health, Packages, TextFile, Unit
from tests.host.packages.conftest import Debian
from tests.host.packages.test_services import build_service
from tests.host.roots import a_manifest

pytestmark = [pytest.mark.system, pytest.mark.network]

CONF = "/etc/daemon.conf"


def _prepared(debian: Debian) -> None:
    for version in ("1.0", "1.1"):
        build_service(debian.debs, "daemon", version, files={CONF: f"packaged {version}\n"})


def test_packages_and_files_go_there_and_back_together(debian: Debian) -> None:
    _prepared(debian)
    debs, machine = debian.debs, debian.machine
    packages = Packages(install=("daemon",))
    one = a_manifest(packages=packages, files={CONF: TextFile("ours\n")})
    locked = debs.wanted({"daemon": "1.0"})
    pristine = debian.triples()
    before = machine.succeed(
        "cd /etc && find . -type f ! -name '*-' ! -name ld.so.cache | sort | xargs sha256sum"
    )
    done = debian.operate("switch", manifest=one, wanted=locked)
    assert "error" not in done, done
    assert machine.read_file(CONF) == "ours\n" and machine.succeed("systemctl is-active daemon") == "active\n"
    assert debian.operate("switch", manifest=one, wanted=locked)["empty"], (
        "the second time there is nothing to do"
    )
    first = debian.triples()
    two = a_manifest(packages=packages, files={CONF: TextFile("ours, newer\n")})
    done = debian.operate("switch", manifest=two, wanted=debs.wanted({"daemon": "1.1"}))
    assert "error" not in done, done
    assert debian.version("daemon") == "1.1" and machine.read_file(CONF) == "ours, newer\n"
    machine.fail(f"ls {CONF}.*")
    # The entry goes: the new packaged version comes.
    done = debian.operate(
        "switch", manifest=a_manifest(packages=packages), wanted=debs.wanted({"daemon": "1.1"})
    )
    assert "error" not in done and machine.read_file(CONF) == "packaged 1.1\n"
    done = debian.operate("rollback", number=1)
    assert "error" not in done, done
    assert debian.triples() == first and machine.read_file(CONF) == "ours\n"
    assert machine.succeed("systemctl is-active daemon") == "active\n"
    done = debian.operate("deactivate")
    assert "error" not in done, done
    assert debian.triples().replace("daemon all 1.0 deinstall ok config-files\n", "") == pristine
    after = machine.succeed(
        "cd /etc && find . -type f ! -name '*-' ! -name ld.so.cache | sort | xargs sha256sum"
    )
    assert {line for line in after.splitlines() if "daemon" not in line} == set(before.splitlines())


def test_a_switch_that_fails_after_its_packages_takes_them_back(debian: Debian) -> None:
    _prepared(debian)
    debs, machine = debian.debs, debian.machine
    packages = Packages(install=("daemon",))
    one = a_manifest(packages=packages, files={CONF: TextFile("ours\n")})
    debian.operate("switch", manifest=one, wanted=debs.wanted({"daemon": "1.0"}))
    before = debian.triples()
    bad = a_manifest(
        packages=packages,
        files={CONF: TextFile("broken\n")},
        units={"daemon.service": Unit(dropins={"x.conf": "[Service]\nNice=5\n"})},
        health=Health({"never": CommandProbe(("false",))}, deadline=1),
    )
    failed = debian.operate("switch", manifest=bad, wanted=debs.wanted({"daemon": "1.1"}))
    assert failed["kind"] == "TakenBackError", failed
    assert debian.triples() == before and machine.read_file(CONF) == "ours\n"
    assert machine.succeed("systemctl is-active daemon; systemctl show -P Nice daemon") == "active\n0\n"
    machine.fail(f"ls {CONF}.*")
    machine.fail("ls /var/lib/holdfast/host/packages/transaction.json")
    done = debian.operate("switch", manifest=one, wanted=debs.wanted({"daemon": "1.0"}))
    assert done["empty"], done
