"""Whole Debian systems, changed with their own tools, described: planned at once, nothing changes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.project.describing import describe
from holdfast.sandbox import Root, Sandbox, Scratch, enter, overlay
from tests.project.test_describing import changes, inventory_of, manifest_of

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHc+a4J8S0 ann@example.org"
CHANGES = rf"""
set -e
echo web1 > /etc/hostname
printf '127.0.0.1 localhost\n127.0.1.1 web1\n' > /etc/hosts
ln -sf /usr/share/zoneinfo/Europe/Prague /etc/localtime
test ! -e /etc/timezone || echo Europe/Prague > /etc/timezone
useradd --create-home --shell /bin/bash --comment 'Ann Onymous' ann
usermod --append --groups sudo,www-data ann
groupadd --gid 2000 team
useradd --no-create-home --home-dir /srv/robot --gid team --groups adm --shell /bin/sh robot
echo 'ann:secret' | chpasswd
install -d -m 700 -o ann -g ann /home/ann/.ssh
echo '{KEY}' > /home/ann/.ssh/authorized_keys
chown ann:ann /home/ann/.ssh/authorized_keys
chmod 600 /home/ann/.ssh/authorized_keys
install -d -m 700 /root/.ssh
printf '# mine\n{KEY}\n' > /root/.ssh/authorized_keys
chmod 644 /root/.ssh/authorized_keys
echo '# changed' >> /etc/nginx/nginx.conf
echo 'PermitRootLogin no' >> /etc/ssh/sshd_config
echo 'Port 2222' > /etc/ssh/sshd_config.d/port.conf
echo 'ann ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ann
chmod 440 /etc/sudoers.d/ann
echo 'vm.swappiness = 10' > /etc/sysctl.d/50-mine.conf
printf '[Unit]\nDescription=Mine\n[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n' > /etc/systemd/system/mine.service
printf '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n' > /etc/systemd/system/mine.timer
mkdir -p /etc/systemd/system/cron.service.d
printf '[Service]\nNice=5\n' > /etc/systemd/system/cron.service.d/override.conf
systemctl enable mine.service mine.timer systemd-networkd.service
systemctl disable nginx.service
systemctl mask apt-daily.timer
apt-mark hold sudo
"""


@pytest.mark.system
@pytest.mark.network
@pytest.mark.parametrize("release", ["bookworm", "trixie", "forky", "sid"])
def test_the_first_plan_changes_nothing(
    machine_root: Callable[[str], Path], tmp_path: Path, release: str
) -> None:
    tree = machine_root(release)
    with overlay(Root((tree,), Scratch())) as root:
        before = inventory_of(root)
        with enter(Sandbox(Root((), root))) as inside:
            inside.run(["/bin/sh", "-c", CHANGES])
        found = inventory_of(root)
        made = describe(found, "web1", target="root@web1", command="holdfast init --from root@web1")
        manifest = manifest_of(made, tmp_path)
        assert changes(root, manifest) == [], made.text
    assert manifest.distribution.release == release
    assert {"nginx-light", "openssh-server", "sudo", "tzdata"} <= {*manifest.packages.install}
    assert manifest.packages.hold == ("sudo",)
    assert manifest.identity.timezone == "Europe/Prague"
    assert sorted(manifest.users) == ["ann", "robot"]
    assert manifest.users["ann"].authorized_keys == (KEY,)
    assert manifest.users["robot"].group == "team"
    new = set(found.files) - set(before.files)
    assert new - {"/etc/hosts"} == {  # which some packages make
        "/etc/nginx/nginx.conf",
        "/etc/ssh/sshd_config",
        "/etc/ssh/sshd_config.d/port.conf",
        "/etc/sysctl.d/50-mine.conf",
        "/root/.ssh/authorized_keys",
    }
    assert found.left_out.keys() - before.left_out.keys() == {"/etc/sudoers.d/ann"}
    changed = {name: unit for name, unit in found.units.items() if before.units.get(name) != unit}
    assert {name for name in changed if "systemd-network" not in name} == {
        "apt-daily.timer",
        "cron.service",
        "mine.service",
        "mine.timer",
        "nginx.service",
    }
    assert changed["nginx.service"].enable is False
    assert changed["systemd-networkd.service"].enable is True
    assert changed["apt-daily.timer"].masked
    # A fresh system says nothing beyond its packages, but for what we put into every image.
    assert list(before.units) == ["holdfast-ssh-host-keys.service"]
    assert not re.search(r"NOPASSWD|\$y\$", made.text)
