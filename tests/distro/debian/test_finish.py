from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from holdfast.base.digests import Digest
from holdfast.distro.debian.deb822 import parse_paragraphs
from holdfast.distro.debian.finish import remake_on_each_machine, scrub, write_sources
from holdfast.distro.debian.releases import find_release
from holdfast.distro.lockfile import PackageSet
from holdfast.manifest.model import Distribution, Packages, Source

TRIXIE = find_release("trixie")
SET = PackageSet(Distribution("debian", "trixie", "amd64"), Packages(), (), (), "apt 3.0")
SOME = Digest("sha256:" + "0" * 64)


def test_what_is_random_goes_and_machine_id_is_empty_but_there(tmp_path: Path) -> None:
    kept = (
        "etc/passwd",
        "var/cache/debconf/config.dat",
        "var/lib/dpkg/status",
        "etc/ssh/sshd_config",
        "var/log/wtmp",
    )
    gone = (
        "etc/passwd-", "etc/.pwd.lock", "etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_ed25519_key.pub",
        "var/log/dpkg.log", "var/log/apt/term.log", "var/cache/ldconfig/aux-cache", "var/lib/apt/lists/deb_dists_x",
        "var/cache/debconf/config.dat-old", "var/lib/dpkg/status-old", "tmp/left/over", "run/x", "var/lib/dbus/machine-id",
    )  # fmt: skip
    for name in (*kept, *gone, "etc/machine-id"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("content")
    os.utime(tmp_path / "etc/ssh", (5, 5))
    scrub(tmp_path, TRIXIE)
    assert [name for name in kept if not (tmp_path / name).exists()] == []
    assert [name for name in gone if (tmp_path / name).exists()] == []
    assert (tmp_path / "etc/machine-id").read_bytes() == b""
    assert (tmp_path / "etc/ssh").stat().st_mtime == 5
    assert (tmp_path / "tmp").is_dir()


def test_sshd_gets_new_host_keys_on_each_machine(tmp_path: Path) -> None:
    remake_on_each_machine(tmp_path, TRIXIE)
    assert list(tmp_path.iterdir()) == [], "nothing of it without sshd"
    packaged = tmp_path / "usr/lib/systemd/system"
    packaged.mkdir(parents=True)
    (packaged / "ssh.service").write_text("")
    remake_on_each_machine(tmp_path, TRIXIE)
    ours = tmp_path / "etc/systemd/system"
    assert sorted(str(path.relative_to(ours)) for path in ours.rglob("*.service*")) == [
        "holdfast-ssh-host-keys.service",
        "ssh.service.wants",
        "ssh.service.wants/holdfast-ssh-host-keys.service",
    ]
    assert (ours / "ssh.service.wants/holdfast-ssh-host-keys.service").readlink() == Path(
        "/etc/systemd/system/holdfast-ssh-host-keys.service"
    )


def written(tmp_path: Path, package_set: PackageSet) -> list[dict[str, str]]:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    write_sources(tmp_path, package_set)
    text = (tmp_path / "etc/apt/sources.list.d/debian.sources").read_text()
    return [dict(paragraph) for paragraph in parse_paragraphs(text)]


def test_a_system_knows_the_public_mirror_whatever_this_machine_uses(
    tmp_path: Path, monkeypatch: object
) -> None:
    os.environ["HOLDFAST_MIRROR_DEBIAN"] = "http://private.example/debian"
    try:
        paragraphs = written(tmp_path, SET)
    finally:
        del os.environ["HOLDFAST_MIRROR_DEBIAN"]
    assert [(one["suites"], one["uris"]) for one in paragraphs] == [
        ("trixie", "http://deb.debian.org/debian"),
        ("trixie-updates", "http://deb.debian.org/debian"),
        ("trixie-security", "http://deb.debian.org/debian-security"),
    ]
    assert all(
        one["signed-by"].startswith("/usr/share/keyrings/debian-archive-keyring.") for one in paragraphs
    )


def test_the_definitions_mirror_and_sources_win(tmp_path: Path) -> None:
    sources = (
        Source("debian", "trixie", ("main", "contrib")),
        Source(
            "own",
            "stable",
            ("main",),
            mirror="http://own.example",
            key="-----BEGIN\n\nabc\n",
            check_valid_until=False,
        ),
        Source("unknown", "stable", ("main",)),
    )
    distribution = Distribution("debian", "trixie", "amd64", sources, mirror="http://mine.example/debian")
    first, second = written(tmp_path, replace(SET, distribution=distribution))
    assert (first["uris"], first["components"]) == ("http://mine.example/debian", "main contrib")
    assert (second["uris"], second["check-valid-until"]) == ("http://own.example", "no")
    assert second["signed-by"] == "\n-----BEGIN\n.\nabc"


def test_a_system_without_apt_gets_no_sources(tmp_path: Path) -> None:
    write_sources(tmp_path, SET)
    assert list(tmp_path.iterdir()) == []
