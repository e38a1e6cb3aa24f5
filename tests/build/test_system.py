"""Whole builds of a real release, in the sandbox."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.build.system import LABEL_NAME, build_system
from holdfast.distro.lockfile import PackageSet
from holdfast.machine import boot
from holdfast.manifest.model import (
    SCHEMA_VERSION,
    Distribution,
    Entry,
    Identity,
    Manifest,
    TextFile,
    Unit,
    User,
)
from holdfast.store import Store, open_store

pytestmark = [pytest.mark.system, pytest.mark.network, pytest.mark.slow]

PackageSets = Callable[..., PackageSet]


@pytest.fixture
def packages(package_set: PackageSets) -> PackageSet:
    return package_set("trixie", "locales", "passwd", "sudo", "tzdata")


def a_system(packages: PackageSet, *, motd: str = "Held fast.\n", **parts: Any) -> Manifest:
    files: dict[str, Entry] = {
        "/etc/motd": TextFile(motd),
        "/usr/local/bin/tool": TextFile("#!/bin/sh\n", mode="4755"),
        "/etc/sudoers.d/ann": TextFile("ann ALL=(ALL) NOPASSWD: ALL\n", mode="0440"),
    }
    hello = Unit(
        text="[Service]\nExecStart=/usr/bin/sleep infinity\nUser=ann\n", wanted_by=("multi-user.target",)
    )
    manifest = Manifest(
        SCHEMA_VERSION,
        "web",
        packages.distribution,
        Identity("web1", timezone="Europe/Prague"),
        packages.request,
        files=files,
        units={"hello.service": hello, "apt-daily.timer": Unit(masked=True)},
        users={"ann": User(groups=("sudo",), authorized_keys=("ssh-ed25519 A",))},
        tmpfiles=("d /run/app 0750 ann ann -",),
    )
    return dataclasses.replace(manifest, **parts)


def a_bare_system(packages: PackageSet) -> Manifest:
    """For the packages that every release has, which other tests bootstrap, too."""
    return a_system(packages, identity=Identity("web1"))


def test_a_built_system_runs(shared_store: Store, packages: PackageSet) -> None:
    artifact = build_system(shared_store, a_system(packages), packages)
    with boot(shared_store, artifact) as machine:
        assert machine.system_state() == "running", machine.failed_units()
        machine.wait_for_unit("hello.service")
        assert machine.succeed("cat /etc/motd /etc/hostname") == "Held fast.\nweb1\n"
        assert machine.succeed("getent hosts web1 | tr -s ' '") == "127.0.1.1 web1\n"
        assert machine.succeed("env -u TZ date +%Z -d 2026-01-01") == "CET\n"
        assert machine.succeed("su ann -c 'sudo id -un'") == "root\n"
        assert (
            machine.succeed("stat -c '%A %U' /usr/local/bin/tool /run/app")
            == "-rwsr-xr-x root\ndrwxr-x--- ann\n"
        )
        assert machine.succeed(
            "stat -c '%a %U %n' ~ann ~ann/.ssh ~ann/.ssh/authorized_keys ~ann/.bashrc"
        ) == (
            "700 ann /home/ann\n700 ann /home/ann/.ssh\n600 ann /home/ann/.ssh/authorized_keys\n644 ann /home/ann/.bashrc\n"
        )
        assert machine.succeed("systemctl is-enabled apt-daily.timer || true") == "masked\n"
        assert machine.succeed("pwck -qr && grpck -r && echo sound") == "sound\n"


def test_two_stores_give_the_same_image(
    shared_store: Store, package_set: PackageSets, tmp_path: Path
) -> None:
    packages = package_set("trixie")
    here = build_system(shared_store, a_bare_system(packages), packages)
    # Beside the shared one, where trees have room.
    place = shared_store.root.parent / f"{tmp_path.parent.name}-{tmp_path.name}-store"
    other = open_store(place)
    try:
        for package in packages.packages:
            if shared_store.blobs.has(package.sha256):
                other.blobs.put_file(shared_store.blobs.path(package.sha256))
        there = build_system(other, a_bare_system(packages), packages)
        assert there.identity == here.identity
        assert there.layers == here.layers
    finally:
        other.close()
        shutil.rmtree(place)


def test_a_change_of_configuration_is_quick(shared_store: Store, packages: PackageSet) -> None:
    build_system(shared_store, a_system(packages), packages)
    began = time.monotonic()
    changed = build_system(shared_store, a_system(packages, motd=f"{time.time_ns()}\n"), packages)
    seconds = time.monotonic() - began
    assert seconds < 2.0
    began = time.monotonic()
    again = build_system(shared_store, a_system(packages), packages)
    assert time.monotonic() - began < 0.3
    assert again.layers[0] == changed.layers[0]
    assert again.layers[-1] != changed.layers[-1]
    config = shared_store.blobs.read(again.identity)
    assert f'"{LABEL_NAME}":"web"'.encode() in config


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"units": {"x.service": Unit(text="[Service]\nExecStart=/bin/true\nRestrat=always\n")}},
            "Unknown key 'Restrat' in section [Service], ignoring.\n    Restrat=always",
        ),
        (
            {"units": {"x.service": Unit(text="[Service]\nExecStart=/opt/gone --now\n")}},
            "is not executable: No such file or directory\n    ExecStart=/opt/gone --now",
        ),
        (
            {"units": {"dbus.service": Unit(dropins={"x": "[Service]\nNice=high\n"})}},
            "/etc/systemd/system/dbus.service.d/x.conf:2:",
        ),
        (
            {"tmpfiles": ("d /run/x", "d /run/y 0755 nobdy - -")},
            "nobdy': No such process\n    d /run/y 0755 nobdy",
        ),
        ({"files": {"/etc/sudoers.d/x": TextFile("ann ALL=(ALL) NOPASWD: ALL\n")}}, "NOPASWD: ALL"),
        ({"units": {"dbsu.service": Unit(enable=True)}}, "did you mean 'dbus.service'"),
        ({"files": {"/usr/bin": TextFile("")}}, "/usr/bin is a directory on this system"),
        ({"identity": Identity("x", timezone="Europe/Praha")}, "did you mean 'Europe/Prague'"),
        ({"distribution": Distribution("debian", "bookworm", "amd64")}, "the lock is stale"),
    ],
)
def test_refused_in_the_authors_words(
    shared_store: Store, packages: PackageSet, parts: dict[str, Any], message: str
) -> None:
    with pytest.raises(HoldfastError) as caught:
        build_system(shared_store, a_system(packages, **parts), packages)
    assert message in str(caught.value)
    assert not list((shared_store.root / "tmp").glob("layer*"))


def test_a_locale_is_generated_once(shared_store: Store, packages: PackageSet) -> None:
    czech = a_system(packages, identity=Identity("web1", locale="cs_CZ.UTF-8"))
    artifact = build_system(shared_store, czech, packages)
    assert len(artifact.layers) == 3
    with boot(shared_store, artifact) as machine:
        assert "cs_CZ.utf8" in machine.succeed("locale -a").split()
        assert machine.succeed("systemctl show-environment").startswith("LANG=cs_CZ.UTF-8\n")
        assert machine.succeed("env -u LC_ALL LANG=cs_CZ.UTF-8 locale -k yesexpr").startswith(
            'yesexpr="^[+1aAyY]"'
        )
    began = time.monotonic()
    changed = dataclasses.replace(czech, tags=("x",))
    assert build_system(shared_store, changed, packages).layers[:2] == artifact.layers[:2]
    assert time.monotonic() - began < 2.0
    with pytest.raises(HoldfastError, match=r"no locale 'cs_CZ.UTF-9'; did you mean cs_CZ\.UTF-8"):
        build_system(shared_store, a_system(packages, identity=Identity("x", locale="cs_CZ.UTF-9")), packages)


@pytest.mark.parametrize("release", ["bookworm", "forky", "sid"])
def test_other_releases_boot(shared_store: Store, package_set: PackageSets, release: str) -> None:
    packages = package_set(release)
    artifact = build_system(shared_store, a_bare_system(packages), packages)
    with boot(shared_store, artifact) as machine:
        assert machine.system_state() == "running", machine.failed_units()
        assert machine.succeed("systemctl is-active hello") == "active\n"
        assert (
            machine.succeed("grep -h LANG /etc/default/locale /proc/1/environ -a | tr '\\0' '\\n' | head -1")
            == "LANG=C.UTF-8\n"
        )
