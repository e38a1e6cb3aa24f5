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


def test_how_far_packages_may_go_is_said_with_the_switch(debian: Debian) -> None:
    _prepared(debian)
    debs, machine = debian.debs, debian.machine
    packages = Packages(install=("daemon",))
    ours = a_manifest(packages=packages, files={CONF: TextFile("ours\n")})
    old, new = debs.wanted({"daemon": "1.0"}), debs.wanted({"daemon": "1.1"})
    debian.operate("switch", manifest=a_manifest(packages=packages), wanted=old)
    debian.operate("switch", manifest=ours, wanted=old)
    machine.succeed("systemd-run -q --unit=user /usr/bin/daemon infinity")
    # The new version of a conffile of ours is shown, and so is who goes on with the old program.
    done = debian.operate("switch", manifest=ours, wanted=new)
    assert f"~ {CONF} stays ours; its package brought another version (it comes back" in done["text"], done
    assert "-packaged 1.0\n    +packaged 1.1" in done["text"]
    assert "still in use: user.service uses /usr/bin/daemon, replaced by now" in done["text"]
    assert "daemon.service" not in done["text"], "it was restarted with its package"
    (conffile,), (stale,) = done["json"]["conffiles"], done["json"]["stale"]
    assert conffile["path"] == CONF and conffile["restored"] and "+packaged 1.1" in conffile["diff"]
    assert stale["unit"] == "user.service" and stale["files"] == ["/usr/bin/daemon"]
    # Once asked to, the same definition restarts them.
    assert debian.operate("switch", manifest=ours, wanted=new)["empty"]
    restart = {"restart_stale": True}
    before = machine.succeed("systemctl show -P MainPID user")
    planned = debian.operate("switch", manifest=ours, wanted=new, options=restart, dry=True)
    assert "restart user.service  (it still uses /usr/bin/daemon" in planned["text"]
    done = debian.operate("switch", manifest=ours, wanted=new, options=restart)
    assert not done["empty"] and machine.succeed("systemctl show -P MainPID user") != before
    assert debian.operate("switch", manifest=ours, wanted=new, options=restart)["empty"]
    # What is newer stays, but for --exact.
    stays = debian.operate("switch", manifest=ours, wanted=old)
    assert "note: daemon 1.1 is newer than the locked 1.0: it stays" in stays["text"], stays
    assert debian.version("daemon") == "1.1"
    planned = debian.operate("switch", manifest=ours, wanted=old, options={"mode": "exact"}, dry=True)
    assert "v daemon 1.1 -> 1.0" in planned["text"]
    assert not debian.operate("switch", manifest=ours, wanted=old, options={"mode": "exact"})["empty"]
    assert debian.version("daemon") == "1.0" and machine.read_file(CONF) == "ours\n"
    # Protected packages go only when that is said, and plans tell why not.
    remove = a_manifest(packages=Packages(remove=("diffutils",)))
    bare = debs.wanted({}, remove=["diffutils"])
    refused = debian.operate("switch", manifest=remove, wanted=bare)
    assert refused["kind"] == "RefusedError" and "diffutils" in refused["details"], refused
    allowed = {"protected": True, "irreversible": True}
    planned = debian.operate("switch", manifest=remove, wanted=bare, options=allowed, dry=True)
    assert "- diffutils " in planned["text"]
    debian.operate("deactivate", options={"purge": True})
    machine.fail(f"ls {CONF}")
    assert debian.version("daemon") == ""
