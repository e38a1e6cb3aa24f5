"""Killed at any moment, a change of packages is either finished or taken back to the exact packages of before."""

from __future__ import annotations

import json
import random

import pytest

from holdfast.base.codec import encode
from tests.host.packages.conftest import Debian
from tests.host.packages.debs import Debs

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

_PLACES = ("packages: noted", "packages: changed", "packages: marked")
_SLOW = "sleep 0.15"


def build(debs: Debs) -> None:
    for version in ("1.0", "1.1"):
        debs.build("lib", version, scripts={"postinst": _SLOW, "preinst": _SLOW})
        debs.build(
            "app",
            version,
            depends=f"lib (>= {version})",
            files={
                "/etc/app.conf": version,
                **{f"/usr/share/app/{number}": version * 20000 for number in range(20)},
            },
            scripts={"postinst": _SLOW, "prerm": _SLOW},
        )
    debs.build(
        "new", "1.0", depends="app (>= 1.1)", files={"/etc/new.conf": "new"}, scripts={"postinst": _SLOW}
    )
    debs.build("old", "1.0")


def prepared(debian: Debian) -> str:
    build(debian.debs)
    debian.switch(debian.debs.wanted({"lib": "1.0", "app": "1.0", "old": "1.0"}, install=["app", "old"]))
    return debian.triples()


def everything(debian: Debian) -> str:
    return debian.machine.succeed(
        "cat /usr/share/app/* /usr/share/lib/* /etc/app.conf | sha256sum; ls /usr/share/old; ls -d /usr/share/new /etc/new.conf || true; ls -a /usr/share/app /etc | grep dpkg- || true"
    )


def test_at_every_step_of_ours(debian: Debian) -> None:
    before = prepared(debian)
    content = everything(debian)
    new = debian.debs.wanted({"lib": "1.1", "app": "1.1", "new": "1.0"}, install=["app", "new"])
    for place in _PLACES:
        assert debian.ask("apply", new, die=place) == {"killed": True}
        for again in ("packages: mended", "packages: back", ""):
            answer = debian.ask("recover", die=again)
            assert answer == ({"killed": True} if again else {"recovered": "undone"})
        assert debian.triples() == before and everything(debian) == content
    assert debian.ask("apply", new, die="packages: marked", transaction="run-7") == {"killed": True}
    after = debian.triples()
    assert debian.ask("recover", committed="run-7") == {"recovered": "finished"}
    assert debian.triples() == after != before
    debian.machine.fail("ls /usr/sbin/policy-rc.d*")
    debian.machine.fail("ls /var/lib/holdfast/host/packages/transaction.json")


def test_dpkg_killed_at_random_moments(debian: Debian) -> None:
    before = prepared(debian)
    content = everything(debian)
    new = debian.debs.wanted({"lib": "1.1", "app": "1.1", "new": "1.0"}, install=["app", "new"])
    asked = {"verb": "apply", "wanted": encode(new), "state": debian.state}
    debian.machine.write_file("/root/ask.json", json.dumps(asked))
    moments = random.Random(4)
    seen: set[str] = set()
    for _ in range(8):
        delay = moments.uniform(0.8, 3.5)
        victims = moments.choice(["dpkg", "dpkg apt-get", "dpkg apt-get python3", "python3"])
        debian.machine.execute(
            f"(PYTHONPATH=/holdfast-src python3 /inside.py < /root/ask.json > /root/out 2>&1) & sleep {delay:.2f}; "
            f'for name in {victims}; do for p in /proc/[0-9]*; do [ "$(cat $p/comm 2>/dev/null)" != $name ] || kill -9 ${{p#/proc/}}; done; done; wait'
        )
        state = debian.machine.succeed("dpkg-query -W -f '${db:Status-Abbrev}\\n' | sort -u | tr '\\n' ,")
        seen.add(f"{victims}: {state}")
        answer = debian.ask("recover")
        assert answer in ({"recovered": "undone"}, {"recovered": None}), (answer, seen)
        assert debian.triples() == before, seen
        assert everything(debian) == content, seen
    print(sorted(seen))


def test_reinst_required_is_repaired(debian: Debian) -> None:
    """dpkg says nothing of such a package when it is told to configure what is pending."""
    before = prepared(debian)
    new = debian.debs.wanted({"lib": "1.1", "app": "1.1", "new": "1.0"}, install=["app", "new"])
    assert debian.ask("apply", new, die="packages: noted") == {"killed": True}
    status = debian.machine.read_file("/var/lib/dpkg/status")
    stanza = next(one for one in status.split("\n\n") if one.startswith("Package: app\n"))
    broken = stanza.replace("install ok installed", "install reinstreq half-installed")
    debian.machine.write_file("/var/lib/dpkg/status", status.replace(stanza, broken))
    debian.machine.succeed("rm /usr/share/app/1; dpkg --configure -a")
    assert (
        "reinst" in debian.machine.execute("dpkg --audit").text
        or "half" in debian.machine.execute("dpkg --audit").text
    )
    assert debian.ask("recover")["recovered"] == "undone"
    assert debian.triples() == before and len(debian.machine.read_file("/usr/share/app/1")) == 60000


@pytest.mark.parametrize("script", ["postinst", "preinst"])
def test_scripts_that_fail_both_ways(debian: Debian, script: str) -> None:
    """A new package fails to install, and then fails to go."""
    before = prepared(debian)
    debian.debs.build("bad", "1.0", scripts={script: "exit 3", "prerm": "exit 4", "postrm": "exit 5"})
    debian.debs.build("app", "1.2", depends="lib", scripts={"postinst": "exit 3", "prerm": "exit 4"})
    new = debian.debs.wanted({"lib": "1.1", "app": "1.2", "bad": "1.0"}, install=["app", "bad"])
    assert debian.ask("apply", new)["error"] == "the packages could not be changed"
    answer = debian.ask("undo")
    assert "error" not in answer, answer
    assert debian.triples() == before


def test_what_cannot_be_taken_back_says_so(debian: Debian) -> None:
    prepared(debian)
    new = debian.debs.wanted({"lib": "1.1", "app": "1.1"}, install=["app"])
    assert debian.ask("apply", new, die="packages: changed") == {"killed": True}
    debian.machine.succeed("rm /var/lib/holdfast/host/packages/archive/app_1.0_all.deb")
    answer = debian.ask("recover")
    assert answer["kind"] == "StuckError" and "app is 1.1 (installed), and was 1.0" in answer["details"]
    assert debian.ask("recover")["kind"] == "StuckError", "it stays to be done"
