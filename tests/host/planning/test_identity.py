from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.host.planning.identity import hosts_with, locale_directory
from holdfast.manifest.model import Identity, TextFile
from tests.host.roots import a_manifest, make_root, run


def test_files_of_identity(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root", {"etc/timezone": "Etc/UTC\n", "etc/default/locale": "LANG=x\n"})
    run(a_manifest(identity=Identity("web1", "C.UTF-8", "Europe/Prague")), root)
    assert (root / "etc/hostname").read_text() == "web1\n"
    assert (root / "etc/locale.conf").read_text() == "LANG=C.UTF-8\n"
    assert (root / "etc/default/locale").read_text() == "LANG=C.UTF-8\n"
    assert (root / "etc/localtime").readlink() == Path("../usr/share/zoneinfo/Europe/Prague")
    assert (root / "etc/timezone").read_text() == "Europe/Prague\n"
    assert (root / "etc/hosts").read_text().startswith("127.0.0.1\tlocalhost\n127.0.1.1\tweb1\n")


def test_no_etc_timezone_where_the_release_has_none(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(), root)
    assert not (root / "etc/timezone").exists()


def test_the_authors_own_file_wins(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    run(a_manifest(files={"/etc/hosts": TextFile("mine\n"), "/etc/hostname": TextFile("other\n")}), root)
    assert (root / "etc/hosts").read_text() == "mine\n"
    assert (root / "etc/hostname").read_text() == "other\n"


@pytest.mark.parametrize(
    ("before", "hostname", "old", "after", "ours"),
    [
        (
            "127.0.0.1 localhost\n10.0.0.1 web1 # x\n",
            "web1",
            None,
            "127.0.0.1 localhost\n10.0.0.1 web1 # x\n",
            None,
        ),
        (
            "127.0.0.1 localhost\n127.0.1.1 old\n",
            "web1",
            None,
            "127.0.0.1 localhost\n127.0.1.1\tweb1\n127.0.1.1 old\n",
            "127.0.1.1\tweb1",
        ),
        (
            "::1 localhost\n127.0.1.1\told",
            "new.example.org",
            "127.0.1.1\told",
            "127.0.1.1\tnew.example.org new\n::1 localhost\n",
            "127.0.1.1\tnew.example.org new",
        ),
        ("# web1\n", "web1", None, "127.0.1.1\tweb1\n# web1\n", "127.0.1.1\tweb1"),
    ],
)
def test_hosts(before: str, hostname: str, old: str | None, after: str, ours: str | None) -> None:
    assert hosts_with(before.encode(), hostname, old) == (after.encode(), ours)
    assert hosts_with(after.encode(), hostname, ours) == (after.encode(), ours)


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        (Identity("a b"), "'a b' is no host name"),
        (Identity("x" * 65), "is no host name"),
        (
            Identity("x", timezone="Europe/Praha"),
            "there is no time zone 'Europe/Praha'; did you mean 'Europe/Prague'?",
        ),
        (Identity("x", timezone="../../etc/passwd"), "there is no time zone"),
        (Identity("x", locale="cs_CZ.UTF-8"), "the locale 'cs_CZ.UTF-8' is not generated"),
    ],
)
def test_refused(tmp_path: Path, identity: Identity, message: str) -> None:
    with pytest.raises(HoldfastError) as caught:
        run(a_manifest(identity=identity), make_root(tmp_path / "root"))
    assert message in str(caught.value)


@pytest.mark.parametrize("where", ["cs_CZ.utf8/LC_NAME", "locale-archive"])
def test_a_generated_locale_is_found(tmp_path: Path, where: str) -> None:
    root = make_root(tmp_path / "root", {f"usr/lib/locale/{where}": "..\0cs_CZ.utf8\0.."})
    run(a_manifest(identity=Identity("x", locale="cs_CZ.UTF-8")), root)
    assert (root / "etc/locale.conf").read_text() == "LANG=cs_CZ.UTF-8\n"


def test_glibc_spelling() -> None:
    assert locale_directory("de_DE.ISO-8859-15@euro") == "de_DE.iso885915@euro"
    assert locale_directory("de_DE") == "de_DE"


def test_without_zone_data_there_is_only_utc(tmp_path: Path) -> None:
    root = make_root(tmp_path / "root")
    for path in sorted((root / "usr/share").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run(a_manifest(), root)
    assert not (root / "etc/localtime").is_symlink()
    with pytest.raises(HoldfastError, match="needs the package 'tzdata'"):
        run(a_manifest(identity=Identity("x", timezone="Europe/Prague")), root)
