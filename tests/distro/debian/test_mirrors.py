from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.distro.debian import mirrors
from holdfast.distro.debian.mirrors import AptSource, choose_mirror, read_machine_sources
from holdfast.manifest.model import Distribution, Source

TRIXIE = Distribution("debian", "trixie", "amd64")
MAIN = Source("debian", "trixie", ("main",))
SECURITY = Source("debian-security", "trixie-security", ("main",))


def entry(url: str, suite: str = "bookworm", components: str = "main", **options: str) -> AptSource:
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return AptSource(url, suite, tuple(components.split()), named, "/etc/apt/sources.list")


@pytest.fixture(autouse=True)
def _no_apt_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "_machine_settings", dict)


def test_the_order_of_choice() -> None:
    machine = (entry("http://machine.example/debian/"),)
    environment = {"HOLDFAST_MIRROR_DEBIAN": "http://env.example/debian/"}
    own = Source("debian", "trixie", ("main",), mirror="http://source.example/debian")
    wide = Distribution("debian", "trixie", "amd64", mirror="http://definition.example/debian")

    def chosen(
        source: Source, distribution: Distribution, variables: dict[str, str], apt: tuple[AptSource, ...]
    ) -> str:
        return choose_mirror(source, distribution, environment=variables, machine=apt).url

    assert chosen(own, wide, environment, machine) == "http://source.example/debian"
    assert chosen(MAIN, wide, environment, machine) == "http://definition.example/debian"
    assert chosen(MAIN, TRIXIE, environment, machine) == "http://env.example/debian"
    assert chosen(MAIN, TRIXIE, {}, machine) == "http://machine.example/debian"
    assert chosen(MAIN, TRIXIE, {}, ()) == "http://deb.debian.org/debian"
    assert chosen(SECURITY, wide, {}, machine) == "http://deb.debian.org/debian-security"


def test_the_choice_knows_where_it_came_from() -> None:
    found = choose_mirror(MAIN, TRIXIE, environment={"HOLDFAST_MIRROR_DEBIAN": "http://e/debian"}, machine=())
    assert found.origin == "the environment variable HOLDFAST_MIRROR_DEBIAN"
    found = choose_mirror(MAIN, TRIXIE, environment={}, machine=(entry("http://m/debian"),))
    assert found.origin == "this machine's /etc/apt/sources.list"


def test_the_variable_of_any_archive() -> None:
    source = Source("my-repo", "stable", ("main",))
    found = choose_mirror(source, TRIXIE, environment={"HOLDFAST_MIRROR_MY_REPO": "http://e"}, machine=())
    assert found.url == "http://e"
    with pytest.raises(HoldfastError) as caught:
        choose_mirror(source, TRIXIE, environment={}, machine=())
    assert "no mirror is known for the archive 'my-repo' (suite stable)" in caught.value.brief
    assert "HOLDFAST_MIRROR_MY_REPO" in caught.value.resolution


@pytest.mark.parametrize(
    ("machine", "archive"),
    [
        (entry("http://mirror.example/debian/"), "debian"),
        (entry("http://mirror/debian", "trixie-updates"), "debian"),
        (entry("http://snapshot.example/archive/debian/20260101T000000Z"), "debian"),
        (
            entry("http://mirror/pub/linux", signed_by="/usr/share/keyrings/debian-archive-keyring.gpg"),
            "debian",
        ),
        (entry("http://mirror.example/debian-security/", "bookworm-security"), "debian-security"),
        (entry("http://mirror/debian-security", "bullseye/updates"), "debian-security"),
        (entry("https://download.example/linux/debian", components="stable"), None),
        (entry("https://apt.example"), None),
        (entry("https://apt.example/pub/repos/apt", "bookworm-pgdg"), None),
        (entry("cdrom:[Debian 12]/debian"), None),
        (entry("http://mirror/debian", "bookworm-pgdg"), None),
    ],
)
def test_which_of_the_machines_sources_are_debians(machine: AptSource, archive: str | None) -> None:
    for source in (MAIN, SECURITY):
        found = choose_mirror(source, TRIXIE, environment={}, machine=(machine,))
        from_machine = found.origin.startswith("this machine's")
        assert from_machine == (source.archive == archive)


def test_both_forms_of_sources_are_read(tmp_path: Path) -> None:
    parts = tmp_path / "etc/apt/sources.list.d"
    parts.mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text(
        "# deb http://commented/debian bookworm main\n"
        "deb-src http://source/debian bookworm main\n"
        "deb [arch=amd64 check-valid-until=no] http://one/debian bookworm main contrib # note\n"
        "deb nonsense\n"
    )
    (parts / "more.sources").write_text(
        "Types: deb deb-src\nURIs: http://two/debian http://three/debian\nSuites: bookworm bookworm-updates\n"
        "# comment\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n x\n\n"
        "Types: deb\nEnabled: no\nURIs: http://off/debian\nSuites: bookworm\nComponents: main\n"
    )
    (parts / "old.sources.disabled").write_text(
        "Types: deb\nURIs: http://x/debian\nSuites: y\nComponents: main\n"
    )
    found = read_machine_sources(tmp_path)
    assert [(source.url, source.suite) for source in found] == [
        ("http://one/debian", "bookworm"),
        ("http://two/debian", "bookworm"),
        ("http://two/debian", "bookworm-updates"),
        ("http://three/debian", "bookworm"),
        ("http://three/debian", "bookworm-updates"),
    ]
    assert found[0].components == ("main", "contrib")
    assert found[0].file == "/etc/apt/sources.list"
    assert choose_mirror(MAIN, TRIXIE, environment={}, machine=found).expired_is_fine
    assert not choose_mirror(MAIN, TRIXIE, environment={}, machine=found[1:]).expired_is_fine


def test_apts_own_setting_about_age_counts_for_the_machines_sources_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mirrors, "_machine_settings", lambda: {"acquire::check-valid-until": "false"})
    machine = (entry("http://m/debian"),)
    assert choose_mirror(MAIN, TRIXIE, environment={}, machine=machine).expired_is_fine
    assert not choose_mirror(MAIN, TRIXIE, environment={}, machine=()).expired_is_fine
    environment = {"HOLDFAST_MIRROR_DEBIAN": "http://e/debian"}
    assert not choose_mirror(MAIN, TRIXIE, environment=environment, machine=machine).expired_is_fine


def test_a_machine_without_sources_has_none(tmp_path: Path) -> None:
    assert read_machine_sources(tmp_path) == ()
