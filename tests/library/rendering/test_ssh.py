from __future__ import annotations

import pytest

from holdfast.library.rendering.ssh import (
    NOTICE,
    Value,
    host_block,
    known_host_lines,
    match_block,
    merge,
    render_client,
    render_keys,
    render_server,
    setting_lines,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAbc/+ ada@example.org"


def test_settings() -> None:
    settings: list[tuple[str, Value]] = [
        ("Port", (22, 2222)),
        ("UseDNS", False),
        ("X11Forwarding", True),
        ("Banner", "/etc/issue.net"),
    ]
    assert setting_lines(settings) == [
        "Port 22",
        "Port 2222",
        "UseDNS no",
        "X11Forwarding yes",
        "Banner /etc/issue.net",
    ]


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("Port 22", 1, "name of a setting"),
        ("Match", "User a", "begins a block"),
        ("include", "/x", "begins a block"),
        ("Banner", "a\nPermitRootLogin yes", "one line"),
        ("Banner", " ", "one line"),
    ],
)
def test_what_is_no_setting(keyword: str, value: str | int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        setting_lines([(keyword, value)])


def test_a_setting_given_both_ways_whatever_its_case() -> None:
    with pytest.raises(ValueError, match="its own option"):
        merge([("UseDNS", True)], {"usedns": False})
    assert merge([("UseDNS", True)], {"b": 1, "a": 2}) == [("UseDNS", True), ("a", 2), ("b", 1)]


def test_the_server_ends_its_last_condition() -> None:
    made = render_server(
        [("Port", 22)], "\n# mine\n", {"User b": {"X": 1}, "Group a Address 10.0.0.0/8": {"Y": True}}
    )
    assert (
        made
        == NOTICE
        + """\
Port 22
# mine

Match Group a Address 10.0.0.0/8
    Y yes

Match User b
    X 1

Match all
"""
    )
    assert render_server([("Port", 22)], "", {}) == NOTICE + "Port 22\n"


@pytest.mark.parametrize("condition", ["", "User", "User a\nMatch all", 'User "a"', "User a Group"])
def test_what_is_no_condition(condition: str) -> None:
    with pytest.raises(ValueError, match="no condition"):
        match_block(condition, {"X": 1})


def test_a_condition_without_settings() -> None:
    with pytest.raises(ValueError, match="no settings"):
        match_block("User a", {})


def test_the_client_has_names_before_patterns_and_everybody_last() -> None:
    hosts: dict[str, dict[str, Value]] = {
        "*.example.org": {"User": "ada"},
        "web.example.org": {"Port": 2222, "HostName": "web"},
    }
    assert (
        render_client(hosts, {"ServerAliveInterval": 30}, "IgnoreUnknown x")
        == NOTICE
        + """\
IgnoreUnknown x

Host web.example.org
    HostName web
    Port 2222

Host *.example.org
    User ada

Host *
    ServerAliveInterval 30
"""
    )


@pytest.mark.parametrize("pattern", ["", "a\nHost *", "a  b", 'a"b'])
def test_what_names_no_host(pattern: str) -> None:
    with pytest.raises(ValueError, match="names no hosts"):
        host_block(pattern, {})


def test_keys() -> None:
    restricted = f'restrict,command="echo hi" {KEY}'
    assert render_keys([KEY, f" {KEY}\n", restricted]) == f"{NOTICE}{KEY}\n{restricted}\n"
    for wrong in ("AAAA", "-----BEGIN OPENSSH", f"{KEY}\n{KEY}", "ssh-ed25519"):
        with pytest.raises(ValueError, match="not a public key"):
            render_keys([wrong])


def test_known_hosts() -> None:
    assert known_host_lines(["web", "[10.0.0.5]:2222"], [KEY], cert_authority=False) == [
        f"web,[10.0.0.5]:2222 {KEY}"
    ]
    assert known_host_lines(["*.example.org"], [KEY], cert_authority=True) == [
        f"@cert-authority *.example.org {KEY}"
    ]
    for names, keys, words in (
        (["a b"], [KEY], "name or address"),
        (["a,b"], [KEY], "name or address"),
        (["a"], [], "public_keys"),
        (["a"], [f"web {KEY}"], "not a public key"),
    ):
        with pytest.raises(ValueError, match=words):
            known_host_lines(names, keys, cert_authority=False)
