from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.manifest.model import Packages, Source
from tests.host.roots import a_manifest, make_root, run

STATUS = """\
Package: nginx
Status: install ok installed
Version: 1
Description: says
 Status: install ok installed

Package: vim
Status: hold ok installed
Version: 2

Package: gone
Status: deinstall ok config-files
"""


def test_repositories(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    repositories = {
        "vendor": Source(
            "vendor", "stable", ("main", "extra"), "https://deb.example.org/debian", "-----KEY-----", False
        ),
        "security": Source("debian-security", "trixie-security", ("main",)),
    }
    run(a_manifest(packages=Packages(repositories=repositories)), root)
    assert (root / "etc/apt/sources.list.d/vendor.sources").read_text() == (
        "Types: deb\nURIs: https://deb.example.org/debian\nSuites: stable\nComponents: main extra\n"
        "Check-Valid-Until: no\nSigned-By: /etc/apt/keyrings/vendor.asc\n"
    )
    assert (root / "etc/apt/keyrings/vendor.asc").read_text() == "-----KEY-----\n"
    assert (
        "debian-security\nSuites: trixie-security"
        in (root / "etc/apt/sources.list.d/security.sources").read_text()
    )


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("a b", Source("debian", "x", ()), "is no repository name"),
        ("x", Source("x", "x", ()), "has no mirror"),
    ],
)
def test_refused(tmp_path: Path, name: str, source: Source, message: str) -> None:
    with pytest.raises(HoldfastError, match=message):
        run(a_manifest(packages=Packages(repositories={name: source})), make_root(tmp_path / "root"))


def test_holds_are_dpkgs_own(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"var/lib/dpkg/status": STATUS})
    status = root / "var/lib/dpkg/status"
    run(a_manifest(packages=Packages(hold=("nginx",))), root)
    held = STATUS.replace("nginx\nStatus: install", "nginx\nStatus: hold")
    assert status.read_text() == held
    assert run(a_manifest(packages=Packages(hold=("nginx",))), root).plan.actions == ()
    run(a_manifest(), root)
    assert status.read_text() == STATUS  # vim's hold is somebody else's
    with pytest.raises(HoldfastError, match="package 'gone' is to be held, but it is not installed"):
        run(a_manifest(packages=Packages(hold=("gone",))), root)


def test_tmpfiles_lines(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(tmpfiles=("d /run/a 0755 - - -", "q /srv/b")), root)
    assert (root / "etc/tmpfiles.d/holdfast.conf").read_text() == "d /run/a 0755 - - -\nq /srv/b\n"
