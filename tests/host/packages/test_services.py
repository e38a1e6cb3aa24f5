"""Services of packages that change: none starts before its configuration is there, and all run again when it is taken back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.host.packages.conftest import Debian
from tests.host.packages.debs import Debs

pytestmark = [pytest.mark.system, pytest.mark.network]

_NO_FILES: Mapping[str, str] = {}
_UNIT = "[Service]\nExecStart=/usr/bin/{name} infinity\n[Install]\nWantedBy=multi-user.target\n"
_POSTINST = """\
if [ "$1" = configure ]; then
    deb-systemd-helper enable {name}.service >/dev/null
    systemctl daemon-reload
    if [ -n "$2" ]; then deb-systemd-invoke restart {name}.service; else deb-systemd-invoke start {name}.service; fi
fi"""
_PRERM = 'if [ "$1" = remove ]; then deb-systemd-invoke stop {name}.service; fi'
_POSTRM = 'if [ "$1" = purge ]; then deb-systemd-helper purge {name}.service >/dev/null; fi; systemctl daemon-reload'


def build_service(
    debs: Debs, name: str, version: str, postinst: str = "", files: Mapping[str, str] = _NO_FILES
) -> None:
    """A package as debhelper would make it."""
    debs.build(
        name,
        version,
        files={
            **files,
            f"/usr/lib/systemd/system/{name}.service": _UNIT.format(name=name) + f"# {version}\n",
        },
        scripts={
            "postinst": f'[ "$1" != configure ] || cp --remove-destination /usr/bin/sleep /usr/bin/{name}\n'
            + _POSTINST.format(name=name)
            + f"\n{postinst}",
            "prerm": _PRERM.format(name=name),
            "postrm": _POSTRM.format(name=name),
        },
    )


def _active(debian: Debian, unit: str) -> str:
    return debian.machine.execute(["systemctl", "is-active", unit]).text.strip()


def _jobs(result: dict[str, object]) -> list[tuple[str, str]]:
    jobs = result.get("jobs", [])
    assert isinstance(jobs, list)
    packaged = {"nginx.service"}  # the machine's own, which its triggers reload whatever is installed
    return [(job["verb"], job["unit"]) for job in jobs if job["unit"] not in packaged]


@pytest.mark.parametrize("theirs", ["", "exit 0", "exit 101"])
def test_start_is_left_to_us(debian: Debian, theirs: str) -> None:
    debs = debian.debs
    for version in ("1.0", "1.1"):
        build_service(debs, "daemon", version)
    policy = f"#!/bin/sh\n{theirs}\n" if theirs else ""
    if theirs:
        debian.machine.write_file("/usr/sbin/policy-rc.d", policy)
        debian.machine.succeed("chmod +x /usr/sbin/policy-rc.d")
    result = debian.switch(debs.wanted({"daemon": "1.0"}))["result"]
    assert _active(debian, "daemon") == "inactive"
    assert _jobs(result) == ([] if theirs == "exit 101" else [("start", "daemon.service")])
    if theirs:
        assert debian.machine.read_file("/usr/sbin/policy-rc.d") == policy
    else:
        debian.machine.fail("ls /usr/sbin/policy-rc.d*")
    debian.machine.succeed("systemctl start daemon")
    process = debian.machine.succeed("systemctl show -P MainPID daemon")
    result = debian.switch(debs.wanted({"daemon": "1.1"}))["result"]
    assert _jobs(result) == ([] if theirs == "exit 101" else [("restart", "daemon.service")])
    assert debian.machine.succeed("systemctl show -P MainPID daemon") == process
    (stale,) = (one for one in result["stale"] if one["unit"] == "daemon.service")
    assert stale["files"] == ["/usr/bin/daemon"] and stale["processes"] == [f"daemon ({process.strip()})"]
    debian.switch(None)
    assert _active(debian, "daemon") == "inactive" and "installed" not in debian.version("daemon")


def test_stale_services_are_restarted_on_request(debian: Debian) -> None:
    debs = debian.debs
    for version in ("1.0", "1.1"):
        build_service(debs, "daemon", version)
    debian.switch(debs.wanted({"daemon": "1.0"}))
    debian.machine.succeed(
        "systemctl disable --now daemon; cp /usr/bin/daemon /root/d; systemd-run -q --unit=user /usr/bin/daemon infinity"
    )
    result = debian.switch(debs.wanted({"daemon": "1.1"}), options={"restart_stale": True})["result"]
    assert _jobs(result) == [("restart", "user.service")], "what is disabled and does not run is left alone"


def test_a_failing_upgrade_is_taken_back_and_the_service_runs_again(debian: Debian) -> None:
    debs = debian.debs
    build_service(debs, "daemon", "1.0")
    build_service(debs, "daemon", "1.1", postinst="exit 7")
    debs.build("other", "1.0")
    debian.switch(debs.wanted({"daemon": "1.0"}))
    debian.machine.succeed("systemctl start daemon")
    before = debian.triples()
    failed = debian.ask("apply", debs.wanted({"daemon": "1.1", "other": "1.0"}))
    assert failed["error"] == "the packages could not be changed" and "exit status 7" in failed["details"]
    assert debian.ask("recover")["recovered"] == "undone"
    assert debian.triples() == before and _active(debian, "daemon") == "active"
    assert debian.ask("recover")["recovered"] is None
    debian.machine.fail("ls /usr/sbin/policy-rc.d*")
