"""Trees out of packages: links inside the root, files that replace others, and what dpkg then believes."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.distro.debian.compose import Composer, copy, link
from holdfast.distro.debian.database import (
    conffiles,
    parse_triggers,
    read_status,
    unfinished,
    write_automatic_marks,
    write_database,
)
from holdfast.distro.debian.deb import Unpacked, load, unpack
from tests.distro.debian.archives import directory, make_deb, member

EPOCH = 1_100_000_000
Members = Sequence[tuple[tarfile.TarInfo, bytes]]


def _unpacked(
    tmp_path: Path,
    name: str,
    data: Members,
    *,
    control: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
) -> Unpacked:
    deb = tmp_path / f"{name}.deb"
    deb.write_bytes(make_deb(name, data=data, control=control, fields=fields))
    place = tmp_path / "packages" / name
    place.mkdir(parents=True)
    unpack(deb, place, what=name)
    found = load(place)
    assert found is not None
    return found


def compose(tmp_path: Path, *packages: Unpacked, links: Mapping[str, str] | None = None) -> Composer:
    tree = tmp_path / "tree"
    tree.mkdir()
    composer = Composer(tree, packages, EPOCH)
    composer.link_first(links or {})
    composer.place_all()
    composer.finish_directories()
    return composer


def test_files_are_shared_with_the_cache(tmp_path: Path) -> None:
    one = _unpacked(
        tmp_path, "one", [directory("./"), directory("./usr", 0o700), member("./usr/a", b"a", mtime=5)]
    )
    composer = compose(tmp_path, one)
    assert composer.root.joinpath("usr/a").samefile(one.data("usr/a"))
    assert composer.root.joinpath("usr").stat().st_mode & 0o777 == 0o700
    assert composer.root.joinpath("usr").stat().st_mtime == 1_000_000_000
    assert composer.listed == [["/.", "/usr", "/usr/a"]]


def test_a_file_from_the_future_is_not_shared(tmp_path: Path) -> None:
    one = _unpacked(tmp_path, "one", [member("./a", b"a", mtime=EPOCH + 1, mode=0o4711)])
    composer = compose(tmp_path, one)
    made = composer.root / "a"
    assert not made.samefile(one.data("a"))
    assert (made.stat().st_mode & 0o7777, made.stat().st_mtime, made.read_bytes()) == (
        0o4711,
        EPOCH + 1,
        b"a",
    )


def test_the_first_package_decides_about_a_directory(tmp_path: Path) -> None:
    one = _unpacked(tmp_path, "one", [directory("./d", 0o750), member("./d/a", b"")])
    two = _unpacked(tmp_path, "two", [directory("./d", 0o755), member("./d/b", b"")])
    composer = compose(tmp_path, one, two)
    assert composer.root.joinpath("d").stat().st_mode & 0o777 == 0o750
    assert sorted(path.name for path in (composer.root / "d").iterdir()) == ["a", "b"]


def test_directories_follow_links_inside_the_root_only(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    base = _unpacked(
        tmp_path,
        "base",
        [
            directory("./usr"),
            directory("./usr/lib"),
            member("./lib", kind=tarfile.SYMTYPE, link="usr/lib"),
            member("./absolute", kind=tarfile.SYMTYPE, link=f"{tmp_path}/victim"),
            member("./upward", kind=tarfile.SYMTYPE, link="../../../../../../victim"),
        ],
    )
    other = _unpacked(
        tmp_path,
        "other",
        [
            directory("./lib"),
            member("./lib/so", b"so"),
            member("./absolute/x", b"x"),
            directory("./upward"),
            member("./upward/y", b"y"),
        ],
    )
    composer = compose(tmp_path, base, other)
    assert composer.root.joinpath("usr/lib/so").read_bytes() == b"so"
    assert composer.listed[1] == ["/lib", "/lib/so", "/absolute/x", "/upward", "/upward/y"]
    assert list((tmp_path / "victim").iterdir()) == []
    assert composer.root.joinpath(f"{tmp_path}/victim/x".lstrip("/")).read_bytes() == b"x"
    assert composer.root.joinpath("victim/y").read_bytes() == b"y"


def test_a_merged_usr_is_made_first_where_the_release_wants_it(tmp_path: Path) -> None:
    one = _unpacked(tmp_path, "one", [directory("./bin"), member("./bin/sh", b"sh"), directory("./usr")])
    composer = compose(tmp_path, one, links={"bin": "usr/bin"})
    assert (composer.root / "bin").readlink() == Path("usr/bin")
    assert composer.root.joinpath("usr/bin/sh").read_bytes() == b"sh"
    assert composer.listed == [["/bin", "/bin/sh", "/usr"]]


@pytest.mark.parametrize(
    ("first", "second", "owner"),
    [({}, {"Replaces": "one (<< 2)"}, "two"), ({"Replaces": "two"}, {}, "one")],
)
def test_a_file_of_two_packages_goes_to_the_one_that_replaces(
    tmp_path: Path, first: dict[str, str], second: dict[str, str], owner: str
) -> None:
    one = _unpacked(tmp_path, "one", [member("./f", b"one")], fields=first)
    two = _unpacked(tmp_path, "two", [member("./f", b"two")], fields=second)
    composer = compose(tmp_path, one, two)
    assert (composer.root / "f").read_text() == owner
    assert composer.listed == [[], ["/f"]] if owner == "two" else [["/f"], []]
    assert one.data("f").read_text() == "one"


def test_a_file_of_two_packages_is_an_error_that_names_both(tmp_path: Path) -> None:
    one = _unpacked(tmp_path, "one", [member("./f", b"one")])
    two = _unpacked(tmp_path, "two", [member("./f", b"two")])
    with pytest.raises(HoldfastError) as caught:
        compose(tmp_path, one, two)
    assert caught.value.brief == "the packages two and one both have /f"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([member("./f", b"")], [directory("./f")]),
        ([directory("./f")], [member("./f", b"")]),
        ([member("./f", b"")], [member("./f/x", b"")]),
        ([member("./f", kind=tarfile.SYMTYPE, link="f")], [member("./f/x", b"")]),
    ],
)
def test_files_and_directories_of_one_name_are_an_error(
    tmp_path: Path, first: Members, second: Members
) -> None:
    with pytest.raises(HoldfastError, match="two"):
        compose(tmp_path, _unpacked(tmp_path, "one", first), _unpacked(tmp_path, "two", second))


def test_a_directory_stays_where_another_package_has_a_link(tmp_path: Path) -> None:
    one = _unpacked(tmp_path, "one", [directory("./d"), member("./d/a", b"")])
    two = _unpacked(tmp_path, "two", [member("./d", kind=tarfile.SYMTYPE, link="elsewhere")])
    assert compose(tmp_path, one, two).root.joinpath("d/a").exists()


def test_a_file_with_all_its_links_used_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    source.write_text("x")
    source.chmod(0o2755)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(31, "Too many links")

    monkeypatch.setattr(os, "link", refuse)
    link(str(source), str(tmp_path / "target"))
    assert (tmp_path / "target").stat().st_mode & 0o7777 == 0o2755
    copy(str(source), str(tmp_path / "another"))
    assert (tmp_path / "another").read_text() == "x"


def test_dpkg_itself_believes_the_database(tmp_path: Path) -> None:
    one = _unpacked(
        tmp_path,
        "one",
        [directory("./"), directory("./etc"), member("./etc/one.conf", b"x=1\n"), member("./bin", b"")],
        control={
            "conffiles": "/etc/one.conf\nremove-on-upgrade /etc/old.conf\n",
            "triggers": "interest-noawait /usr/share/x\ninterest named\nactivate other # comment\n",
            "postinst": "#!/bin/sh\n",
        },
    )
    fields = {"Multi-Arch": "same", "Architecture": "amd64", "Description": "short\n long"}
    two = _unpacked(tmp_path, "two", [], fields=fields)
    composer = compose(tmp_path, one, two)
    write_database(composer.root, composer.packages, composer.listed, hold={"two"}, epoch=EPOCH)
    root = f"--root={composer.root}"
    assert run(["dpkg", root, "-L", "one"]).text.split() == ["/.", "/etc", "/etc/one.conf", "/bin"]
    shown = run(
        ["dpkg-query", root, "-W", "-f=${Package} ${db:Status-Status} ${db:Status-Want} ${Conffiles}\\n"]
    ).text
    assert shown.split() == ["one", "unpacked", "install", "/etc/one.conf", hashlib.md5(b"x=1\n").hexdigest(), "two", "unpacked", "hold"]  # fmt: skip
    assert "have been unpacked but not yet configured" in " ".join(
        run(["dpkg", root, "--audit"], check=False).text.split()
    )
    assert (composer.root / "var/lib/dpkg/triggers/File").read_text() == "/usr/share/x one/noawait\n"
    assert (composer.root / "var/lib/dpkg/triggers/named").read_text() == "one\n"
    assert (composer.root / "var/lib/dpkg/info/two:amd64.list").exists()
    assert unfinished(composer.root) == {"one": "install ok unpacked", "two": "hold ok unpacked"}


def test_conffiles_and_triggers_are_read() -> None:
    assert parse_triggers("interest a\n# no\n\nactivate-noawait /b\nbroken\n") == [
        ("interest", "a"),
        ("activate-noawait", "/b"),
    ]
    assert conffiles(Unpacked(Path("/nowhere"), (), {}, "", ())) == ()


def test_apt_is_told_what_is_automatic(tmp_path: Path) -> None:
    write_automatic_marks(tmp_path, ["b", "a"], "amd64")
    text = (tmp_path / "var/lib/apt/extended_states").read_text()
    assert text.startswith("Package: a\nArchitecture: amd64\nAuto-Installed: 1\n\nPackage: b\n")
    assert read_status(tmp_path) == ()
