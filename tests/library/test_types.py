"""Values refused where they are written, with what to write instead; each message names option, place and remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from holdfast.base.errors import HoldfastError
from holdfast.library import (
    Files,
    Firewall,
    Identity,
    Nginx,
    Packages,
    System,
    Systemd,
    Tmpfiles,
    Users,
    evaluate_system,
    resolve,
)
from holdfast.library.system import Debian
from holdfast.options import Module

Write = Callable[[Module], None]


def bad_port(m: Module) -> None:
    m[Firewall].allowed_tcp_ports = [80, 99999]


def bad_range(m: Module) -> None:
    m[Firewall].allowed_udp_port_ranges = ["9-1"]


def bad_mode(m: Module) -> None:
    m[Files]["/etc/motd"].mode = "644"


def string_command(m: Module) -> None:
    m[Systemd].services["a"].exec_start = "/bin/sleep 5"  # passes as a sequence


def relative_command(m: Module) -> None:
    m[Systemd].services["a"].exec_start_pre = [["bin/sleep", "5"]]


def bad_span(m: Module) -> None:
    m[Systemd].services["a"].restart_sec = "soon"


def suffixless_unit(m: Module) -> None:
    m[Systemd].services["a"].after = ["nginx"]


def bad_package(m: Module) -> None:
    m[Packages].install = ["nginx=1.26"]


def bad_host(m: Module) -> None:
    m[Identity].hostname = "web_1"


def bad_account(m: Module) -> None:
    m[Users].users["ada"].groups = ["Sudo Users"]


def clear_password(m: Module) -> None:
    m[Users].users["ada"].hashed_password = "secret"


def bad_listen(m: Module) -> None:
    m[Nginx].virtual_hosts["a"].listen = ["80 ssl"]


def bad_age(m: Module) -> None:
    m[Tmpfiles].settings["/x"]["d"].age = "old"


def bad_kind(m: Module) -> None:
    m[Systemd].services["a"].type = "daemon"  # type: ignore[assignment]  # the mistake


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (bad_port, ["firewall.allowed_tcp_ports", "an integer from 1 to 65535", "99999"]),
        (bad_range, ["firewall.allowed_udp_port_ranges", "the lower one first"]),
        (bad_mode, ['files."/etc/motd".mode', 'such as "0644"']),
        (
            string_command,
            ["systemd.services.a.exec_start", '["/bin/sleep", "5"]', "CommandLine('/bin/sleep 5')"],
        ),
        (relative_command, ["systemd.services.a.exec_start_pre", "neither an absolute path"]),
        (bad_span, ["systemd.services.a.restart_sec", "1h 30min"]),
        (suffixless_unit, ["systemd.services.a.after", "lacks a suffix such as .service"]),
        (bad_package, ["packages.install", "the lock decides its version"]),
        (bad_host, ["identity.hostname", "letters, digits and -"]),
        (bad_account, ["users.users.ada.groups", "lower-case letters"]),
        (clear_password, ["users.users.ada.hashed_password", "never the password itself"]),
        (bad_listen, ["nginx.virtual_hosts.a.listen", "127.0.0.1:80"]),
        (bad_age, ["age", "10d or 1h 30min"]),
        (bad_kind, ["systemd.services.a.type", '"oneshot"']),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_bad_value_is_refused_with_its_place(module: Write, words: list[str]) -> None:
    config = resolve(System("test", modules=[module], distro=Debian("trixie")))
    with pytest.raises(HoldfastError) as caught:
        config.verify()
    told = str(caught.value)
    for word in [*words, f"test_types.py:{module.__code__.co_firstlineno + 1}"]:
        assert word in told, told


def test_sets_of_words_count_a_repeated_item_once() -> None:
    def one(m: Module) -> None:
        m[Packages].install = ["curl", "htop"]

    def two(m: Module) -> None:
        m[Packages].install = ["htop", "nano"]

    config = resolve(System("test", modules=[one, two], distro=Debian("trixie")))
    assert config[Packages].install == ("curl", "htop", "nano")


def test_two_commands_conflict_and_never_concatenate() -> None:
    def one(m: Module) -> None:
        m[Systemd].services["a"].exec_start = ["/bin/a"]

    def two(m: Module) -> None:
        m[Systemd].services["a"].exec_start = ["/bin/b"]

    config = resolve(System("test", modules=[one, two], distro=Debian("trixie")))
    with pytest.raises(HoldfastError, match="has 2 definitions that conflict"):
        config.verify()


def test_freeform_lists_concatenate_and_scalars_conflict() -> None:
    def one(m: Module) -> None:
        m[Systemd].services["a"].section["Service"]["BindPaths"] = ["/a"]
        m[Systemd].services["a"].section["Service"]["Nice"] = 1

    def two(m: Module) -> None:
        m[Systemd].services["a"].section["Service"]["BindPaths"] = ["/b"]
        m[Systemd].services["a"].section["Service"]["Nice"] = 2

    section = (
        resolve(System("test", modules=[one, two], distro=Debian("trixie")))[Systemd].services["a"].section
    )
    assert section["Service"]["BindPaths"] == ("/a", "/b")
    with pytest.raises(HoldfastError, match="conflict"):
        _ = section["Service"]["Nice"]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("a", True),
        ("Web-1.example--x.org", True),
        ("a" * 63, True),
        ("a" * 62 + ".a", True),
        ("a" * 64, False),
        ("a" * 63 + ".a", False),
        ("-a", False),
        ("a-", False),
        ("a.-b", False),
        ("a..b", False),
        ("a.", False),
        ("a\n", False),
        ("", False),
    ],
)
def test_host_names(name: str, taken: bool) -> None:
    def module(m: Module) -> None:
        m[Identity].hostname = name

    system = System("test", modules=[module], distro=Debian("trixie"))
    if taken:
        assert evaluate_system(system).manifest.identity.hostname == name
    else:
        with pytest.raises(HoldfastError, match=r"identity\.hostname"):
            evaluate_system(system)
