"""Every example is built from its definition and booted; the web example on every release of Debian there is a row for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.distro.debian.releases import RELEASES
from holdfast.machine import Machine, boot
from holdfast.project.building import Built
from holdfast.store import Store
from tests.system.conftest import EXAMPLES

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]
Build = Callable[[str, str], Built]


def assert_healthy(machine: Machine) -> None:
    failed = [f"{unit.name}\n{machine.journal(unit.name)}" for unit in machine.failed_units()]
    assert not failed, "\n\n".join(failed)
    assert machine.system_state() == "running"


@pytest.mark.parametrize("release", RELEASES)
def test_web_on(release: str, built: Build, shared_store: Store) -> None:
    made = built("web", "web" if release == "trixie" else f"web-{release}")
    with boot(shared_store, made.artifact) as machine:
        assert_healthy(machine)
        (pretty,) = [
            line
            for line in machine.read_file("/etc/os-release").splitlines()
            if line.startswith("PRETTY_NAME=")
        ]
        assert release in pretty
        assert machine.succeed("hostname").strip() == "web1"
        assert machine.read_file("/etc/motd") == "This is web1.\n"

        machine.wait_for_unit("nginx.service")
        page = machine.http_get("http://127.0.0.1/")
        assert (page.status, page.text) == (200, "<h1>Held fast.</h1>\n")

        # nginx hands /time/ on to the service, whose page the timer's service writes.
        machine.wait_for_unit("hello.service")
        machine.wait_for_file("/var/lib/hello/index.html")
        assert machine.http_get("http://127.0.0.1/time/").text == machine.read_file(
            "/var/lib/hello/index.html"
        )
        assert machine.unit("hello-clock.timer").active_state == "active"
        owner = machine.succeed("stat -c %U /proc/$(systemctl show -P MainPID hello.service)")
        assert owner == "hello\n"

        rules = machine.succeed(["nft", "list", "table", "inet", "holdfast"])
        assert "policy drop" in rules and "80" in rules
        ended = machine.shutdown()
        assert not ended.forced


def test_files(built: Build, shared_store: Store) -> None:
    with boot(shared_store, built("files", "shop").artifact) as machine:
        assert_healthy(machine)
        assert machine.succeed("stat -c '%a %U:%G' /etc/shop/banner").strip() == "640 root:www-data"
        assert machine.succeed("readlink /etc/shop/current").strip() == "shop.json"
        assert '"invoice"' in machine.read_file("/etc/shop/shop.json")
        assert "Disallow" in machine.read_file("/srv/site/robots.txt")
        assert machine.succeed("stat -c %F /var/cache/shop").strip() == "directory"
        assert machine.unit("shop.service").active_state == "active"


def test_timers(built: Build, shared_store: Store) -> None:
    with boot(shared_store, built("timers", "clockwork").artifact) as machine:
        assert_healthy(machine)
        for timer in ("backup", "heartbeat"):
            assert machine.unit(f"{timer}.timer").active_state == "active"
        # fstrim.timer itself does not start in a container (ConditionVirtualization).
        assert machine.succeed("systemctl is-enabled fstrim.timer") == "enabled\n"
        assert "Sun *-*-* 04:00:00" in machine.unit_properties("fstrim.timer")["TimersCalendar"]
        assert machine.unit("dpkg-db-backup.timer").load_state == "masked"
        machine.succeed("systemctl start backup.service")
        assert "etc/hostname" in machine.succeed("tar --list --file /var/lib/backup/etc.tar.gz")


def test_every_example_has_a_test() -> None:
    tested = {"web", "files", "timers"}
    assert {path.parent.name for path in EXAMPLES.glob("*/systems.py")} == tested
