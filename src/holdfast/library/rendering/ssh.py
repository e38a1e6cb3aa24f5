"""OpenSSH's configuration: sshd_config(5), ssh_config(5), authorized_keys and ssh_known_hosts (sshd(8))."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Union

from holdfast.library.rendering.command_lines import check_characters

Scalar = Union[bool, int, str]
Value = Union[Scalar, Sequence[Scalar]]
Settings = Iterable[tuple[str, Value]]

NOTICE = "# Written by Holdfast from the definition of this system.\n"

_KEY_TYPE = r"(?:ssh-|ecdsa-|sk-ssh-|sk-ecdsa-)[a-z0-9@.-]+"
_KEY = rf"{_KEY_TYPE} [A-Za-z0-9+/]+={{0,3}}(?: .*)?"
_BLOCKS = ("match", "host", "include")


def setting_lines(settings: Settings, indent: str = "") -> list[str]:
    """Lines in the order given; a list is one line per item.

    Raises:
        ValueError: a keyword or value that OpenSSH could not read; the message names it.
    """
    lines: list[str] = []
    for keyword, value in settings:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", keyword):
            raise ValueError(f"{keyword!r} is not the name of a setting")
        if keyword.lower() in _BLOCKS:
            raise ValueError(f"{keyword} begins a block or reads a file: it is not a setting of its own")
        items: Sequence[Scalar] = (value,) if isinstance(value, (bool, int, str)) else value
        for item in items:
            lines.append(f"{indent}{keyword} {_scalar(keyword, item)}")
    return lines


def _scalar(keyword: str, value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    check_characters(text, f"{keyword}")
    if not text.strip() or "\n" in text or "\r" in text:
        raise ValueError(f"{keyword} is {text!r}: one line, with something on it, is needed")
    return text


def merge(typed: Settings, freeform: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """Typed settings in their order, then the others by name. Keywords are the same in upper and lower case.

    Raises:
        ValueError: a setting is given both ways.
    """
    given = list(typed)
    names = {keyword.lower() for keyword, _ in given}
    for keyword in sorted(freeform):
        if keyword.lower() in names:
            raise ValueError(f"{keyword} is set by its own option and by settings[{keyword!r}]")
        names.add(keyword.lower())
        given.append((keyword, freeform[keyword]))
    return given


def render_server(settings: Settings, extra: str, match: Mapping[str, Mapping[str, Value]]) -> str:
    """The drop-in for sshd.

    Raises:
        ValueError: what sshd could not read.
    """
    lines = setting_lines(settings)
    lines += _author_lines(extra)
    for condition in sorted(match):
        lines += ["", *match_block(condition, match[condition])]
    if match:
        lines += ["", "Match all"]
    return NOTICE + "".join(f"{line}\n" for line in lines)


def match_block(condition: str, settings: Mapping[str, Value]) -> list[str]:
    """One block of settings for some connections.

    Raises:
        ValueError: no condition, or settings that sshd could not read.
    """
    if not re.fullmatch(r"(?:[A-Za-z]+ [^\s\"]+)(?: [A-Za-z]+ [^\s\"]+)*", condition):
        raise ValueError(
            f'{condition!r} is no condition: write one such as "User ada" or "Group sftp Address 10.0.0.0/8"'
        )
    if not settings:
        raise ValueError("it has no settings")
    return [f"Match {condition}", *setting_lines(sorted(settings.items(), key=_name), "    ")]


def render_client(hosts: Mapping[str, Mapping[str, Value]], settings: Mapping[str, Value], extra: str) -> str:
    """The drop-in for ssh: names before patterns, everybody last, since what comes first wins.

    Raises:
        ValueError: what ssh could not read.
    """
    blocks = [
        host_block(pattern, hosts[pattern])
        for pattern in sorted(hosts, key=lambda one: (_is_pattern(one), one))
    ]
    if settings:
        blocks.append(host_block("*", settings))
    lines = _author_lines(extra)
    for block in blocks:
        lines += ["", *block] if lines else block
    return NOTICE + "".join(f"{line}\n" for line in lines)


def host_block(pattern: str, settings: Mapping[str, Value]) -> list[str]:
    """Settings for the hosts that a pattern means.

    Raises:
        ValueError: no pattern, or settings that ssh could not read.
    """
    if not re.fullmatch(r"[!A-Za-z0-9_.:*?%-]+(?: [!A-Za-z0-9_.:*?%-]+)*", pattern):
        raise ValueError(f"{pattern!r} names no hosts: write names or patterns, with spaces between them")
    return [f"Host {pattern}", *setting_lines(sorted(settings.items(), key=_name), "    ")]


def _is_pattern(text: str) -> bool:
    return bool(set(text) & set("*?!"))


def _name(item: tuple[str, Value]) -> str:
    return item[0]


def render_keys(keys: Iterable[str]) -> str:
    """A file of authorized keys; each may have options before it.

    Raises:
        ValueError: one is no public key.
    """
    lines = [key.strip() for key in keys]
    for line in lines:
        if "\n" in line or not re.search(rf"(?:^|\s){_KEY}$", line):
            raise ValueError(
                f"{line[:60]!r} is not a public key: write the one line of a file such as id_ed25519.pub"
            )
    return NOTICE + "".join(f"{line}\n" for line in dict.fromkeys(lines))


def known_host_lines(names: Sequence[str], keys: Sequence[str], *, cert_authority: bool) -> list[str]:
    """Lines of ssh_known_hosts for one host.

    Raises:
        ValueError: it has no keys, or names or keys that ssh could not read.
    """
    if not keys:
        raise ValueError("it has no public_keys")
    for name in names:
        if not re.fullmatch(r"!?(?:\[[A-Za-z0-9_.:*?%-]+\]:[0-9]{1,5}|[A-Za-z0-9_.:*?%-]+)", name):
            raise ValueError(f"{name!r} is no name or address of a host: write host, or [host]:port")
    for key in keys:
        if not re.fullmatch(_KEY, key.strip()) or "\n" in key.strip():
            raise ValueError(
                f"{key[:60]!r} is not a public key, such as ssh-keyscan prints behind the host's name"
            )
    marker = "@cert-authority " if cert_authority else ""
    return [f"{marker}{','.join(names)} {key.strip()}" for key in keys]


def _author_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()] if text.strip() else []
