"""The firewall's ruleset as nftables text (nft(8)): a table of our own, replaced as one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Literal

from holdfast.base.records import dataclass

TABLE = "inet holdfast"

_ICMPV6 = (
    "destination-unreachable, packet-too-big, time-exceeded, parameter-problem, "
    "mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, "
    "nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert"
)


@dataclass(frozen=True)
class Ports:
    """What is let in; a range is a pair with both ends included."""

    tcp: tuple[tuple[int, int], ...] = ()
    udp: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Ruleset:
    """Everything that the rules of the firewall depend on."""

    everywhere: Ports = field(default_factory=Ports)
    interfaces: Mapping[str, Ports] = field(default_factory=lambda: {})
    trusted_interfaces: tuple[str, ...] = ()
    allow_ping: bool = True
    policy: Literal["drop", "reject", "accept"] = "drop"
    log_refused: bool = False
    forward: Literal["drop", "accept"] = "accept"
    extra_input: str = ""
    extra_forward: str = ""
    extra_output: str = ""
    extra: str = ""
    """Further text of the file, after our table: tables of the author's own."""


def render_ruleset(rules: Ruleset) -> str:
    """The file for ``nft -f``: it creates the table if need be, empties and refills it, all or nothing.

    What is established stays open whatever else the rules say, connections included that are older than the kernel's
    connection tracking: for those, a TCP packet that cannot open a connection (ACK without SYN) is let through.
    """
    chains = [_input_chain(rules)]
    if rules.forward == "drop" or rules.extra_forward.strip():
        chains.append(_forward_chain(rules))
    if rules.extra_output.strip():
        lines = [
            "type filter hook output priority filter; policy accept;",
            *_author_lines(rules.extra_output),
        ]
        chains.append(_chain("output", lines))
    body = "\n\n".join(chains)
    text = f"table {TABLE}\ndelete table {TABLE}\n\ntable {TABLE} {{\n{body}\n}}\n"
    extra = rules.extra.strip("\n")
    return f"{text}\n{extra}\n" if extra.strip() else text


def _input_chain(rules: Ruleset) -> str:
    default = "drop" if rules.policy == "reject" else rules.policy
    lines = [
        f"type filter hook input priority filter; policy {default};",
        "ct state established,related accept",
        "ct state invalid drop",
        'iifname "lo" accept',
        'tcp flags & (syn | ack) == ack accept comment "connections older than connection tracking"',
    ]
    if rules.trusted_interfaces:
        lines.append(f"iifname {_names(rules.trusted_interfaces)} accept")
    lines.append(f"icmpv6 type {{ {_ICMPV6} }} accept")
    lines.append('ip6 daddr fe80::/64 udp dport 546 accept comment "DHCPv6 answers"')
    if rules.allow_ping:
        lines.append("icmp type echo-request accept")
        lines.append("icmpv6 type echo-request accept")
    lines += _port_rules("", rules.everywhere)
    for name in sorted(rules.interfaces):
        lines += _port_rules(f"iifname {_names((name,))} ", rules.interfaces[name])
    lines += _author_lines(rules.extra_input)
    if rules.log_refused:
        lines.append('limit rate 10/second log prefix "refused: " level info')
    if rules.policy == "reject":
        lines.append("meta l4proto tcp reject with tcp reset")
        lines.append("reject with icmpx admin-prohibited")
    return _chain("input", lines)


def _forward_chain(rules: Ruleset) -> str:
    return _chain(
        "forward",
        [
            f"type filter hook forward priority filter; policy {rules.forward};",
            "ct state established,related accept",
            *_author_lines(rules.extra_forward),
        ],
    )


def _chain(name: str, lines: Sequence[str]) -> str:
    return "\n".join([f"\tchain {name} {{", *(f"\t\t{line}" if line else "" for line in lines), "\t}"])


def _author_lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()] if text.strip() else []


def _port_rules(match: str, ports: Ports) -> list[str]:
    return [
        f"{match}{protocol} dport {_port_set(ranges)} accept"
        for protocol, ranges in (("tcp", ports.tcp), ("udp", ports.udp))
        if ranges
    ]


def _port_set(ranges: Iterable[tuple[int, int]]) -> str:
    merged = merge_ranges(ranges)
    words = [str(low) if low == high else f"{low}-{high}" for low, high in merged]
    return words[0] if len(words) == 1 else "{ " + ", ".join(words) + " }"


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ports as sorted ranges that neither touch nor overlap; nft refuses overlapping elements."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _names(names: Iterable[str]) -> str:
    quoted = [f'"{name}"' for name in sorted(set(names))]
    return quoted[0] if len(quoted) == 1 else "{ " + ", ".join(quoted) + " }"
