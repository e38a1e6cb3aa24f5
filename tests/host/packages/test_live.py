"""Changes of packages on a real machine, with a real apt and dpkg."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from holdfast.base.digests import digest_bytes
from holdfast.host.files.nodes import File
from holdfast.host.state import Managed
from tests.host.packages.conftest import Debian

pytestmark = [pytest.mark.system, pytest.mark.network]


def _verbs(change: dict[str, Any]) -> set[str]:
    return {f"{one['verb']} {one['package']}" for one in change.get("actions", ())}


@pytest.mark.parametrize("debian", ["bookworm", "trixie", "forky", "sid"], indirect=True)
def test_what_we_install_comes_with_its_needs_and_goes_with_them(debian: Debian) -> None:
    debs = debian.debs
    debs.build("lib", "1.0")
    debs.build("app", "1.0", depends="lib")
    wanted = debs.wanted({"lib": "1.0", "app": "1.0"}, install=["app"])
    pristine = debian.triples()
    assert _verbs(debian.plan(wanted)) == {"install app", "install lib"}
    assert debian.triples() == pristine, "a plan changes nothing"
    debian.switch(wanted)
    assert (debian.version("app"), debian.version("lib")) == ("1.0", "1.0")
    assert debian.machine.succeed("apt-mark showauto lib app") == "lib\n"
    assert "actions" not in debian.plan(wanted)
    debian.switch(None)
    assert debian.triples() == pristine
    # Half of it again, killed, and taken back.
    assert debian.ask("apply", wanted, die="packages: changed") == {"killed": True}
    assert debian.ask("recover") == {"recovered": "undone"}
    assert debian.triples() == pristine


def test_upgrade_newer_stays_exact_and_back(debian: Debian) -> None:
    debs = debian.debs
    for version in ("1.0", "1.1", "1.2"):
        debs.build("app", version)
        debs.build("theirs", version)
    debian.dpkg("theirs", "1.0")
    old, new = (debs.wanted({"app": version, "theirs": version}) for version in ("1.0", "1.1"))
    debian.switch(old)
    before, state = debian.triples(), json.loads(json.dumps(debian.state))
    change = debian.plan(new)
    assert change["irreversible"] == ["theirs 1.0"] and "irreversible" in change["problems"][0]
    refused = debian.ask("apply", new)
    assert refused["kind"] == "RefusedError" and debian.triples() == before
    debian.machine.succeed(f"cp {debs.path('theirs', '1.0')} /var/cache/apt/archives/theirs_1.0_all.deb")
    assert "problems" not in debian.plan(new)
    debian.switch(new)
    assert (debian.version("app"), debian.version("theirs")) == ("1.1", "1.1")
    # Rolled back, what we put there goes back exactly, theirs as well.
    rolled = debian.plan(old, options={"mode": "back"})
    assert _verbs(rolled) == {"downgrade app", "downgrade theirs"}
    # What somebody else upgraded since is theirs to keep, but for --exact, which never touches what we did not put there.
    debian.dpkg("app", "1.2")
    assert _verbs(debian.plan(old, options={"mode": "back"})) == {"downgrade theirs"}
    stays = debian.plan(new)
    assert "app 1.2 is newer than the locked 1.1: it stays" in stays["notes"] and "actions" not in stays
    debian.machine.succeed(f"cp {debs.path('app', '1.2')} /var/cache/apt/archives/app_1.2_all.deb")
    debian.switch(new, options={"mode": "exact"})
    assert (debian.version("app"), debian.version("theirs")) == ("1.1", "1.1")
    debian.switch(old, options={"mode": "back"})
    assert debian.triples() == before and debian.state["packages"] == state["packages"]


def test_the_old_package_is_fetched_from_the_machines_own_sources(debian: Debian) -> None:
    debs, machine = debian.debs, debian.machine
    for version in ("1.0", "1.1"):
        debs.build("theirs", version)
    debian.dpkg("theirs", "1.0")
    before = debian.triples()
    name = "theirs_1.0_all.deb"
    machine.succeed(
        f"mkdir /srv/repo; cp {debs.path('theirs', '1.0')} /srv/repo/{name}; rm -f /etc/apt/sources.list.d/*"
    )
    package = debs.built["theirs", "1.0"]
    index = machine.succeed(f"dpkg-deb -f /srv/repo/{name}").rstrip()
    machine.write_file(
        "/srv/repo/Packages",
        f"{index}\nFilename: {name}\nSize: {package.size}\nSHA256: {package.sha256[7:]}\n",
    )
    machine.write_file("/etc/apt/sources.list", "deb [trusted=yes] file:/srv/repo ./\n")
    machine.succeed("apt-get update")
    wanted = debs.wanted({"theirs": "1.1"})
    (action,) = debian.plan(wanted)["actions"]
    assert action["old"]["source"] == "download"
    machine.succeed(f"mv /srv/repo/{name} /srv/away.deb")
    gone = debian.ask("apply", wanted)
    assert gone["kind"] == "RefusedError" and "irreversible" in gone["error"] and debian.triples() == before
    machine.succeed(f"mv /srv/away.deb /srv/repo/{name}")
    assert debian.ask("apply", wanted, die="packages: marked") == {"killed": True}
    machine.succeed("rm -r /srv/repo")
    assert debian.version("theirs") == "1.1"
    assert debian.ask("recover") == {"recovered": "undone"} and debian.triples() == before


def test_purge_takes_configuration_along(debian: Debian) -> None:
    debs = debian.debs
    debs.build("app", "1.0", files={"/etc/app.conf": "x"})
    pristine = debian.triples()
    debian.switch(debs.wanted({"app": "1.0"}))
    debian.switch(None, options={"mode": "back", "purge": True})
    assert debian.triples() == pristine
    debian.machine.fail("ls /etc/app.conf")
    debian.switch(debs.wanted({"app": "1.0"}))
    debian.switch(None)
    assert debian.machine.read_file("/etc/app.conf") == "x"
    # What was only configuration before is that again afterwards.
    configured = debian.triples()
    assert debian.ask("apply", debs.wanted({"app": "1.0"}), die="packages: changed") == {"killed": True}
    assert debian.ask("recover") == {"recovered": "undone"}
    assert debian.triples() == configured and debian.machine.read_file("/etc/app.conf") == "x"


def test_what_is_not_ours_is_neither_downgraded_nor_removed(debian: Debian) -> None:
    debs = debian.debs
    for version in ("1.0", "2.0"):
        debs.build("theirs", version)
    debs.build("user", "1.0", depends="ours")
    debs.build("ours", "1.0")
    debs.build("enemy", "1.0", fields="Conflicts: theirs")
    debian.dpkg("theirs", "2.0")
    older = debian.plan(debs.wanted({"theirs": "1.0"}), options={"mode": "exact"})
    assert "actions" not in older and "we did not install it: it stays" in older["notes"][0]
    conflict = debian.plan(debs.wanted({"enemy": "1.0"}))
    assert "theirs would have to be removed, which Holdfast did not install" in conflict["problems"][0]
    debian.switch(debs.wanted({"ours": "1.0"}))
    debian.dpkg("user", "1.0")  # somebody builds on it
    kept = debian.plan(None)
    assert "actions" not in kept and "ours stays" in kept["notes"][0] and "user needs it" in kept["notes"][0]
    debian.machine.succeed("dpkg --purge user; apt-mark manual ours")
    debian.switch(None)
    assert debian.version("ours") == "", "asked for by us, manual is our own mark"


def test_removal_is_declared_and_taken_back(debian: Debian) -> None:
    debs = debian.debs
    debs.build("theirs", "1.0")
    debs.build("needed", "1.0")
    debs.build("needing", "1.0", depends="needed")
    for name in ("theirs", "needed", "needing"):
        debian.dpkg(name, "1.0")
        debian.machine.succeed(f"cp {debs.path(name, '1.0')} /var/cache/apt/archives/{name}_1.0_all.deb")
    debian.machine.succeed(["apt-mark", "auto", "theirs"])
    pristine = debian.triples()
    problems = debian.plan(debs.wanted({}, remove=["needed"]))["problems"]
    assert "needing would have to be removed" in problems[0]
    for name, why in (("dpkg", "does not work without"), ("python3", "runs on it")):
        assert any(why in problem for problem in debian.plan(debs.wanted({}, remove=[name]))["problems"])
    debian.switch(debs.wanted({}, remove=["theirs"]))
    assert debian.version("theirs") == ""
    debian.machine.succeed("rm /var/cache/apt/archives/*.deb")
    debian.switch(debs.wanted({}))
    assert debian.triples() == pristine


def test_holds(debian: Debian) -> None:
    debs = debian.debs
    for version in ("1.0", "1.1"):
        debs.build("app", version)
    debian.dpkg("app", "1.0")
    debian.machine.succeed("apt-mark hold app")
    assert "app is on hold: it stays at 1.0" in debian.plan(debs.wanted({"app": "1.1"}))["notes"][0]
    debian.machine.succeed("apt-mark unhold app")
    debian.machine.succeed(f"cp {debs.path('app', '1.0')} /var/cache/apt/archives/app_1.0_all.deb")
    debian.switch(debs.wanted({"app": "1.0"}, hold=["app"]))
    assert debian.machine.succeed("apt-mark showhold") == "app\n"
    debian.state["holds"] = ["app"]
    debian.switch(debs.wanted({"app": "1.1"}, hold=["app"]))
    assert debian.version("app").endswith("1.1") and debian.machine.succeed("apt-mark showhold") == "app\n"
    debian.state["holds"] = ["app"]
    debian.switch(debs.wanted({"app": "1.1"}))
    assert debian.machine.succeed("apt-mark showhold") == ""


def test_refusals(debian: Debian) -> None:
    debs = debian.debs
    debs.build("app", "1.0")
    debs.build("far", "1.0", depends="nowhere")
    other = debian.plan(debs.wanted({"app": "1.0"}, release="bookworm"))
    assert "locked for bookworm, but this machine is Debian GNU/Linux 13 (trixie)" in other["problems"][0]
    assert "apt cannot bring about" in debian.plan(debs.wanted({"far": "1.0"}))["problems"][0]
    unlocked = debian.plan(debs.wanted({}, install=["app"]))
    assert "app is not installed, and this generation brings no packages" in unlocked["problems"][0]
    assert debian.plan(debs.wanted({}, install=["python3"])).keys() <= {"fingerprint"}, (
        "all is there: nothing to do"
    )
    debian.machine.succeed("touch /var/lib/dpkg/updates/0001")
    assert "dpkg was interrupted" in debian.plan(debs.wanted({"app": "1.0"}))["problems"][0]


def test_conffiles_of_ours_never_ask_and_new_versions_come_back_later(debian: Debian) -> None:
    debs, conf = debian.debs, "/etc/app.conf"
    for version in ("1.0", "1.1"):
        debs.build("app", version, files={conf: f"packaged {version}\n", "/etc/free.conf": version})
    debian.switch(debs.wanted({"app": "1.0"}), declared=[conf])
    packaged, ours = b"packaged 1.0\n", "ours\n"
    change = debian.plan(debs.wanted({"app": "1.0"}), declared=[conf])
    assert list(change["after"]["conffiles"]) == [conf]
    debian.machine.write_file(conf, ours)
    kept = f"/var/lib/holdfast/host/kept/{digest_bytes(packaged)[7:]}"
    debian.machine.succeed(f"mkdir -p {kept.rpartition('/')[0]}")
    debian.machine.write_file(kept, packaged.decode())
    managed = Managed(File(digest_bytes(ours.encode())), File(digest_bytes(packaged)))
    debian.set_state(change["after"], {conf: managed})
    debian.machine.write_file("/etc/free.conf", "a person's")
    result = debian.switch(debs.wanted({"app": "1.1"}))["result"]
    assert (
        debian.machine.read_file(conf) == ours and debian.machine.read_file("/etc/free.conf") == "a person's"
    )
    assert debian.machine.succeed("ls /etc/*.dpkg-*") == "/etc/free.conf.dpkg-dist\n"
    (new,) = result["conffiles"]
    assert (new["path"], new["restored"]) == (conf, True)
    assert "-packaged 1.0" in new["diff"] and "+packaged 1.1" in new["diff"]
    digest = digest_bytes(b"packaged 1.1\n")
    assert new["file"]["digest"] == digest
    assert debian.machine.read_file(f"/var/lib/holdfast/host/kept/{digest[7:]}") == "packaged 1.1\n"


def test_an_upgrade_by_others_leaves_no_debris_either(debian: Debian) -> None:
    debs, conf = debian.debs, "/etc/app.conf"
    for version in ("1.0", "1.1"):
        debs.build("app", version, files={conf: f"packaged {version}\n"})
    debian.dpkg("app", "1.0")
    debian.machine.write_file(conf, "ours\n")
    debian.machine.succeed(
        f"DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i {debs.path('app', '1.1')}"
    )
    managed = Managed(File(digest_bytes(b"ours\n")), File(digest_bytes(b"edited by a person\n")))
    debian.set_state({}, {conf: managed})
    (new,) = debian.switch(debs.wanted({"app": "1.1"}))["result"]["conffiles"]
    assert not new["restored"], "a person had edited what was there before us"
    assert debian.machine.execute(f"ls {conf}.dpkg-dist").returncode != 0


def test_waits_for_whoever_holds_the_lock_and_names_it(debian: Debian) -> None:
    debs = debian.debs
    debs.build("app", "1.0")
    holder = (
        "import fcntl, time; f = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(f, fcntl.LOCK_EX); "
        "open('/run/held', 'w'); time.sleep({})"
    )
    debian.machine.write_file("/root/unattended-upgrade", holder.format(60))
    debian.machine.succeed("systemd-run -q --unit=holder python3 /root/unattended-upgrade")
    debian.machine.wait_for_file("/run/held")
    wanted = debs.wanted({"app": "1.0"})
    assert "python3 unattended-upgrade" in debian.plan(wanted)["notes"][0]
    busy = debian.ask("apply", wanted, wait=1)
    assert busy["kind"] == "BusyError" and "python3 unattended-upgrade" in busy["error"]
    debian.machine.succeed("systemctl stop holder; rm /run/held")
    debian.machine.write_file("/root/unattended-upgrade", holder.format(2))
    debian.machine.succeed("systemd-run -q --unit=holder python3 /root/unattended-upgrade")
    debian.machine.wait_for_file("/run/held")
    started = time.monotonic()
    debian.switch(wanted)
    assert debian.version("app") == "1.0" and time.monotonic() - started > 1
