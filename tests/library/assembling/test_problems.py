"""Parts that do not fit together: all told at once, each with the option, the line that wrote it, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
)
from holdfast.library.system import Debian
from holdfast.options import Module


def failure(*modules: Callable[[Module], None]) -> str:
    with pytest.raises(HoldfastError) as caught:
        evaluate_system(System("test", modules=modules, distro=Debian("trixie")))
    return str(caught.value)


def unknown_primary_group(m: Module) -> None:
    m[Users].users["ada"].group = "staf"


def unknown_group(m: Module) -> None:
    m[Users].users["ada"].groups = ["docker"]


def unknown_member(m: Module) -> None:
    m[Users].groups["ops"].members = ["grace"]


def same_uid(m: Module) -> None:
    m[Users].users["bob"].uid = 1000
    m[Users].users["ada"].uid = 1000


def bad_login(m: Module) -> None:
    m[Users].users["Ada"].uid = 1000


def file_and_link(m: Module) -> None:
    m[Files]["/etc/a"].text = "x"
    m[Files]["/etc/a"].link = "b"


def nothing_in_it(m: Module) -> None:
    m[Files]["/etc/a"].mode = "0600"


def below_a_file(m: Module) -> None:
    m[Files]["/etc/a"].text = "x"
    m[Files]["/etc/a/b"].text = "y"


def relative_path(m: Module) -> None:
    m[Files]["etc/a"].text = "x"


def doubled_slash(m: Module) -> None:
    m[Files]["/etc//a"].text = "x"


def missing_source(m: Module) -> None:
    m[Files]["/etc/a"].source = "no/such/file"


def list_as_toml(m: Module) -> None:
    m[Files]["/etc/a"].toml = [1, 2]


def defined_and_masked(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].masked = ["a.service"]


def no_exec_start(m: Module) -> None:
    m[Systemd].services["a"].description = "Nothing"


def script_and_command(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].services["a"].script = "a\n"


def timer_without_service(m: Module) -> None:
    m[Systemd].timers["a"].on_calendar = ["daily"]


def timer_without_time(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].timers["a"].persistent = True


def suffix_in_key(m: Module) -> None:
    m[Systemd].services["a.service"].exec_start = ["/bin/a"]


def space_in_key(m: Module) -> None:
    m[Systemd].services["a b"].exec_start = ["/bin/a"]


def twice(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].units["a.service"].text = "[Service]\nExecStart=/bin/a\n"


def both_ways(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].services["a"].section["Service"]["ExecStart"] = "/bin/b"


def line_break(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].services["a"].section["Service"]["Nice"] = "1\nUser=root"


def relative_mount(m: Module) -> None:
    m[Systemd].mounts["srv"].what = "/dev/sdb1"


def in_and_out(m: Module) -> None:
    m[Packages].install = ["nano"]
    m[Packages].remove = ["nano"]


def bare_repository(m: Module) -> None:
    m[Packages].repositories["extra"].uri = "https://packages.example.org"
    m[Packages].repositories["extra"].suites = ["trixie"]


def key_that_is_a_path(m: Module) -> None:
    m[Packages].repositories["extra"].uri = "https://packages.example.org"
    m[Packages].repositories["extra"].suites = ["./"]
    m[Packages].repositories["extra"].key = "/usr/share/keyrings/extra.gpg"


def bad_rule(m: Module) -> None:
    m[Tmpfiles].settings["/var/x"]["dir"].mode = "0755"


def script_with_a_quote(m: Module) -> None:
    m[Systemd].services["a\\x22"].script = "true\n"


def times_on_two_lines(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].services["a"].start_at = ["daily\nPersistent=yes"]


def dropin_elsewhere(m: Module) -> None:
    m[Systemd].services["a"].exec_start = ["/bin/a"]
    m[Systemd].services["a"].dropins["../../a.conf"] = "[Service]\n"


def mount_spelled_otherwise(m: Module) -> None:
    m[Systemd].mounts["/srv//data"].what = "LABEL=data"


def relative_rule(m: Module) -> None:
    m[Tmpfiles].settings["var/x"]["d"].mode = "0755"


def repository_elsewhere(m: Module) -> None:
    m[Packages].repositories["../x"].uri = "https://packages.example.org"


def repository_of_two_lines(m: Module) -> None:
    m[Packages].repositories["x"].uri = "https://packages.example.org\nTrusted: yes"
    m[Packages].repositories["x"].suites = ["./"]


def keys_in_one_item(m: Module) -> None:
    m[Users].users["ada"].authorized_keys = ["ssh-ed25519 AAAA\nssh-ed25519 BBBB"]


def text_that_is_none(m: Module) -> None:
    m[Files]["/etc/a"].text = "caf\udce9"


def link_that_is_none(m: Module) -> None:
    m[Files]["/etc/a"].link = "a\0b"


def odd_key_of_ini(m: Module) -> None:
    m[Files]["/etc/a"].ini = {"main": {"[other": 1}}


def tls_without_certificate(m: Module) -> None:
    m[Nginx].enable = True
    m[Nginx].virtual_hosts["a"].listen_tls = ["443"]


@pytest.mark.parametrize(
    ("module", "line", "words"),
    [
        (
            unknown_primary_group,
            1,
            ["users.users.ada.group", "no group 'staf'", "m[Users].groups.add('staf')"],
        ),
        (unknown_group, 1, ["users.users.ada.groups", 'm[Users].from_packages = ["docker"]']),
        (unknown_member, 1, ["users.groups.ops.members", "no user 'grace'"]),
        (same_uid, 1, ["users.users.bob.uid", "'ada' has the number 1000 too"]),
        (bad_login, 1, ["users.users.Ada", "lower-case letters"]),
        (file_and_link, 2, ['files."/etc/a".link', "both text and link; keep one"]),
        (nothing_in_it, 1, ['files."/etc/a"', "neither text, source, secret, link nor directory; set one"]),
        (below_a_file, 2, ['files."/etc/a/b"', "below /etc/a, which is declared as a file"]),
        (relative_path, 1, ['files."etc/a"', "begin it with /"]),
        (doubled_slash, 1, ['files."/etc//a"', "write '/etc/a'"]),
        (
            missing_source,
            1,
            ['files."/etc/a".source', "tests/library/assembling/no/such/file cannot be read: No such file"],
        ),
        (list_as_toml, 1, ['files."/etc/a"', "assign a mapping"]),
        (defined_and_masked, 2, ["systemd.masked", "a.service is masked, but also defined"]),
        (no_exec_start, 1, ["systemd.services.a", "no exec_start", "from_package = True"]),
        (script_and_command, 2, ["systemd.services.a.script", "both exec_start and script; keep one"]),
        (timer_without_service, 1, ["systemd.timers.a", "starts a.service, which is not defined"]),
        (timer_without_time, 2, ["systemd.timers.a", "set on_calendar, on_boot_sec"]),
        (suffix_in_key, 1, ['systemd.services."a.service"', "write 'a'"]),
        (space_in_key, 1, ['systemd.services."a b"', "a\\x20b.service"]),
        (twice, 2, ['systemd.units."a.service"', "a.service is defined twice"]),
        (both_ways, 2, ["systemd.services.a", 'by its own option and by section["Service"]["ExecStart"]']),
        (line_break, 2, ["systemd.services.a", "Nice= in [Service] contains a line break"]),
        (relative_mount, 1, ["systemd.mounts.srv", "begin it with /"]),
        (in_and_out, 2, ["packages.remove", "nano is to be installed and to be removed"]),
        (bare_repository, 1, ["packages.repositories.extra", "'trixie' needs components"]),
        (key_that_is_a_path, 1, ["packages.repositories.extra", "not ASCII armour"]),
        (script_with_a_quote, 1, [".script", "contains a quote, backslash"]),
        (
            times_on_two_lines,
            2,
            ["systemd.services.a.start_at", "OnCalendar= in [Timer] contains a line break"],
        ),
        (dropin_elsewhere, 2, ["systemd.services.a", "'../../a.conf' is not the file name of a drop-in"]),
        (mount_spelled_otherwise, 1, ['systemd.mounts."/srv//data"', "write '/srv/data'"]),
        (relative_rule, 1, ['tmpfiles.settings."var/x".d', "begin it with /"]),
        (repository_elsewhere, 1, ['packages.repositories."../x"', "is no repository name"]),
        (repository_of_two_lines, 1, ["packages.repositories.x", "is not one word"]),
        (keys_in_one_item, 1, ["users.users.ada.authorized_keys", "more than one line"]),
        (text_that_is_none, 1, ['files."/etc/a"', "not UTF-8"]),
        (link_that_is_none, 1, ['files."/etc/a"', "NUL"]),
        (odd_key_of_ini, 1, ['files."/etc/a"', "cannot hold the key '[other'"]),
        (bad_rule, 1, ['tmpfiles.settings."/var/x".dir', "'dir' is not a type of tmpfiles.d"]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_message_names_the_option_its_line_and_the_remedy(
    module: Callable[[Module], None], line: int, words: list[str]
) -> None:
    told = failure(module)
    place = f"test_problems.py:{module.__code__.co_firstlineno + line}"
    for word in ["the system 'test' has a problem", *words, place]:
        assert word in told, told


def test_all_problems_are_told_at_once() -> None:
    told = failure(unknown_group, file_and_link, timer_without_service)
    assert "has 3 problems" in told
    assert told.index("/etc/a") < told.index("systemd.timers.a") < told.index("users.users.ada")


def test_nginx_says_what_its_virtual_host_lacks() -> None:
    told = failure(tls_without_certificate)
    assert told.startswith(
        "the configuration of nginx has a problem\nnginx.virtual_hosts.a: A virtual host with TLS needs"
    )
    line = tls_without_certificate.__code__.co_firstlineno + 2
    assert f"test_problems.py:{line}" in told


def fake_interface(m: Module) -> None:
    m[Firewall].enable = True
    m[Firewall].interfaces['a" accept; #'].allowed_tcp_ports = [1]


def more_than_parameters(m: Module) -> None:
    m[Nginx].enable = True
    m[Nginx].upstreams["a"].servers = {"10.0.0.5:80": "weight=2; } server {"}


def more_than_a_number(m: Module) -> None:
    m[Nginx].enable = True
    m[Nginx].worker_processes = "auto; daemon off"


def no_redirect(m: Module) -> None:
    m[Nginx].enable = True
    m[Nginx].virtual_hosts["a"].locations["/"].redirect = "https://example.org"
    m[Nginx].virtual_hosts["a"].locations["/"].redirect_code = 200


def half_an_escape(m: Module) -> None:
    m[Nginx].enable = True
    m[Nginx].virtual_hosts["a"].locations["~ x\\"].root = "/srv"


def two_lines_of_hosts(m: Module) -> None:
    m[Identity].hosts = {"10.0.0.5": ["db\n10.0.0.6 db2"]}


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (fake_interface, "the firewall has a problem\nfirewall.interfaces."),
        (more_than_parameters, "nginx.upstreams.a: The parameters 'weight=2; } server {'"),
        (more_than_a_number, "nginx.worker_processes: 'auto; daemon off' is no number"),
        (no_redirect, "nginx.virtual_hosts.a: Redirect_code is 200"),
        (half_an_escape, "ends in a backslash"),
        (two_lines_of_hosts, 'identity.hosts."10.0.0.5": '),
    ],
)
def test_nothing_breaks_out_of_its_place_in_a_file(module: Callable[[Module], None], words: str) -> None:
    told = failure(module)
    assert words in told
    line = module.__code__.co_firstlineno + (1 if module is two_lines_of_hosts else 2)
    assert f"test_problems.py:{line}" in told


def test_an_unreadable_key_file_is_named(tmp_path: Path) -> None:
    def module(m: Module) -> None:
        extra = m[Packages].repositories["extra"]
        extra.uri = "https://packages.example.org"
        extra.suites = ["./"]
        extra.key_file = tmp_path / "missing.asc"

    assert f"{tmp_path}/missing.asc cannot be read" in failure(module)
