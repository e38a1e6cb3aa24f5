from __future__ import annotations

import base64
from pathlib import Path

import pytest

from holdfast.base.codec import canonical_json, decode_json
from holdfast.base.errors import HoldfastError
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.inventory.reading import read_inventory
from holdfast.manifest.inventory import FoundGroup, FoundMount, FoundUnit, FoundUser, Inventory
from tests.host.machines import UNIT, make_machine
from tests.host.roots import make_root, snapshot


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_machine(tmp_path_factory.mktemp("machine") / "root")


@pytest.fixture(scope="module")
def found(machine: Path) -> Inventory:
    with RootDirectory(machine) as root:
        return read_inventory(root, contents=True)


def test_identity(found: Inventory) -> None:
    assert (found.hostname, found.locale, found.timezone) == ("web1", None, "Europe/Prague")
    assert found.os_release["PRETTY_NAME"] == "Debian GNU/Linux 13 (trixie)"
    assert (found.architecture, found.unstable) == ("amd64", False)
    assert (found.kernel, found.virtualization) == (None, None), "that is another machine's"
    assert found.mounts == (FoundMount("UUID=1", "/", "ext4", "defaults"),)
    assert found.sysctl == {"net.ipv4.ip_forward": "1"}
    assert found.crontabs == ("ann",)


def test_packages(found: Inventory) -> None:
    assert found.packages == ("foo", "held", "tzdata")
    assert found.held == ("held",)
    assert sorted(found.installed) == ["bar", "dpkg", "foo", "held", "libfoo1", "tzdata"]


def test_without_marks_nothing_counts_that_something_needs(tmp_path: Path) -> None:
    root = make_machine(tmp_path / "root")
    (root / "var/lib/apt/extended_states").unlink()
    with RootDirectory(root) as directory:
        assert read_inventory(directory).packages == ("foo", "held", "tzdata")


def test_files(found: Inventory) -> None:
    assert sorted(found.files) == [
        "/etc/apt/sources.list",
        "/etc/cron.d/backup",
        "/etc/cron.daily/tidy",
        "/etc/foo.conf",
        "/etc/hosts",
        "/etc/profile.d/latin.sh",
        "/etc/sysctl.d/50-mine.conf",
        "/etc/systemd/system/odd.service",
        "/srv/bob/.ssh/authorized_keys",
    ]
    assert found.files["/etc/foo.conf"].reason == "changed conffile"
    assert (found.files["/etc/foo.conf"].mode, found.files["/etc/foo.conf"].text) == (
        "0664",
        "color = blue\n",
    )
    latin = found.files["/etc/profile.d/latin.sh"]
    assert latin.text is None
    assert base64.b64decode(latin.base64 or "") == b"# caf\xe9\n"
    keys = found.files["/srv/bob/.ssh/authorized_keys"]
    assert (keys.user, keys.group, keys.mode) == ("bob", "team", "0600")


def test_secrets_are_only_named(found: Inventory) -> None:
    assert found.left_out == {
        "/etc/ssh/sshd_config.d/host.key": "its name says that it holds a key",
        "/etc/ssh/sshd_config.d/id.conf": "it holds a private key",
        "/etc/sudoers.d/ann": "not everybody may read it",
    }
    text = canonical_json(found)
    for secret in (b"$y$secret", b"PRIVATE KEY", b"NOPASSWD"):
        assert secret not in text


def test_what_is_large_is_only_named(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"etc/cron.d/large": "x" * 300_000})
    with RootDirectory(root) as directory:
        assert read_inventory(directory).left_out == {"/etc/cron.d/large": "it is larger than 256 KiB"}


def test_units(found: Inventory) -> None:
    assert found.units == {
        "back\\x2dslash.service": FoundUnit(text=UNIT + 'Alias="""\\x\n'),
        "disabled.service": FoundUnit(enable=False),
        "enabled.service": FoundUnit(enable=True),
        "masked.service": FoundUnit(masked=True, dropins={"10.conf": "[Service]\nNice=6\n"}),
        "mine.service": FoundUnit(
            text=UNIT, wanted_by=("multi-user.target",), aliases=("also-mine.service",)
        ),
        "shipped.service": FoundUnit(dropins={"override.conf": "[Service]\nNice=5\n"}),
    }
    assert found.timers == ("apt-daily.timer",)
    assert found.links == {}


def test_people(found: Inventory) -> None:
    assert sorted(found.users) == ["ann", "bob", "old", "root"]
    assert found.users["ann"] == FoundUser(
        uid=1000,
        group="ann",
        groups=("shadow", "sudo", "docker", "team"),
        comment="Ann,,,",
        home="/home/ann",
        shell="/bin/bash",
        has_home=True,
        has_shell=True,
        linger=True,
        can_use_password=True,
        authorized_keys=("ssh-ed25519 AAAA ann@example", "ssh-ed25519 BBBB"),
    )
    assert found.users["bob"].authorized_keys == ()
    assert not found.users["old"].has_shell
    assert found.groups == {"team": FoundGroup(1500, ("ann",))}
    assert found.packaged_groups == ("docker", "root", "shadow", "sudo")


def test_hashes_only_where_they_are_asked_for(machine: Path) -> None:
    with RootDirectory(machine) as root:
        found = read_inventory(root, secrets=True)
    assert found.users["ann"].hashed_password == "$y$secret"
    assert all(file.text is None and file.base64 is None for file in found.files.values())


def test_it_survives_the_codec_and_changes_nothing(machine: Path) -> None:
    before = snapshot(machine)
    with RootDirectory(machine) as root:
        found = read_inventory(root, contents=True)
    assert snapshot(machine) == before
    assert decode_json(Inventory, canonical_json(found), what="facts") == found


def test_an_empty_root_has_nothing(tmp_path: Path) -> None:
    with RootDirectory(tmp_path) as root:
        assert read_inventory(root) == Inventory(1, {}, "")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Nowhere")
    (tmp_path / "etc/timezone").mkdir()
    with RootDirectory(tmp_path) as root:
        assert read_inventory(root).timezone is None
    (tmp_path / "etc/hosts").write_text("x")
    loop = tmp_path / "usr"
    loop.symlink_to("usr")
    with RootDirectory(tmp_path) as root:
        try:
            read_inventory(root)
        except HoldfastError as error:
            assert "read the machine" in str(error)
