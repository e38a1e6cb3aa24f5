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
    tested = {"web", "files", "timers", "people"}
    assert {path.parent.name for path in EXAMPLES.glob("*/systems.py")} == tested


def test_people(built: Build, shared_store: Store) -> None:
    with boot(shared_store, built("people", "people").artifact) as machine:
        assert_healthy(machine)
        for user in ("ada", "bert"):  # in zsh and in fish
            said = machine.succeed(["su", "--login", user, "--command", "env -0"])
            found = dict(item.split("=", 1) for item in said.split("\0") if "=" in item)
            assert (found["EDITOR"], found["GREETING"], found["MANPATH"]) == ("vi", "it's $HOME", "/opt/man:")
            path = found["PATH"].split(":")
            assert path[:2] == ["/run/wrappers/bin", f"/home/{user}/.local/bin"]
        assert "ls -l" in machine.succeed("bash -lic 'alias ll'")
        assert (
            machine.succeed("bash -lc 'set -u; . /etc/profile.d/holdfast.sh; echo $GREETING'")
            == "it's $HOME\n"
        )
        assert machine.succeed("systemd-run --quiet --pipe --wait printenv HOLDFAST_EXAMPLE") == "100 %\n"

        machine.succeed(["visudo", "--check", "--strict"])
        assert "NOPASSWD: ALL" in machine.succeed("sudo -l -U ada")
        allowed = machine.succeed("sudo -l -U bert")
        assert "NOPASSWD: /usr/bin/systemctl restart cron.service" in allowed
        machine.fail(["su", "bert", "--shell", "/bin/sh", "--command", "sudo -n id"])
        assert machine.succeed(["su", "ada", "--shell", "/bin/sh", "--command", "sudo -n id -u"]) == "0\n"

        settings = machine.succeed("sshd -T -C user=ada,host=x,addr=10.0.0.1").splitlines()
        assert {"passwordauthentication no", "permitrootlogin without-password"} <= set(settings)
        assert any(
            line.startswith("authorizedkeysfile") and "authorized_keys.d/%u" in line for line in settings
        )
        machine.succeed("sshd -t && systemctl reload ssh.service")
        machine.wait_for_open_port(22)

        assert machine.succeed("getcap /run/wrappers/bin/ping").strip().endswith("cap_net_raw=ep")
        assert machine.succeed("stat -c '%a %U:%G' /run/wrappers/bin/ping") == "750 root:operators\n"
        assert machine.succeed("cat /proc/sys/net/ipv4/ip_forward") == "1\n"
        # A package that brings a new ping renews the copy.
        machine.succeed("cp /bin/true /usr/bin/ping.new && mv /usr/bin/ping.new /usr/bin/ping")
        machine.wait_until_succeeds("cmp /usr/bin/ping /run/wrappers/bin/ping", timeout=20)
