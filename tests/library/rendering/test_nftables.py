from __future__ import annotations

import os
import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.base.process import run
from holdfast.library.rendering.nftables import (
    Ports,
    Ruleset,
    merge_ranges,
    render_ruleset,
)
from tests.examples import at_most

FULL = Ruleset(
    everywhere=Ports(tcp=((443, 443), (80, 80), (8000, 8010), (8005, 8020)), udp=((53, 53),)),
    interfaces={"eth1": Ports(tcp=((5432, 5432),)), "wg*": Ports(udp=((51820, 51830),))},
    trusted_interfaces=("lan0", "vpn0"),
    policy="reject",
    log_refused=True,
    forward="drop",
    extra_input="ip saddr 10.0.0.0/8 accept\n",
    extra_forward='iifname "lan0" accept',
    extra_output="tcp dport 25 drop",
    extra="table ip nat_mine {\n}\n",
)

MINIMAL = """\
table inet holdfast
delete table inet holdfast

table inet holdfast {
	chain input {
		type filter hook input priority filter; policy drop;
		ct state established,related accept
		ct state invalid drop
		iifname "lo" accept
		tcp flags & (syn | ack) == ack accept comment "connections older than connection tracking"
		icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, \
mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report, \
nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
		ip6 daddr fe80::/64 udp dport 546 accept comment "DHCPv6 answers"
		icmp type echo-request accept
		icmpv6 type echo-request accept
		tcp dport { 80, 443 } accept
	}
}
"""


def test_golden() -> None:
    assert render_ruleset(Ruleset(everywhere=Ports(tcp=((443, 443), (80, 80))))) == MINIMAL


def test_ports_interfaces_and_the_authors_own_rules() -> None:
    text = render_ruleset(FULL)
    for line in (
        "\t\ttcp dport { 80, 443, 8000-8020 } accept\n\t\tudp dport 53 accept\n",
        '\t\tiifname "eth1" tcp dport 5432 accept\n\t\tiifname "wg*" udp dport 51820-51830 accept\n',
        '\t\tiifname { "lan0", "vpn0" } accept\n',
        "\t\tip saddr 10.0.0.0/8 accept\n",
        "\t\tmeta l4proto tcp reject with tcp reset\n",
        "\tchain forward {\n\t\ttype filter hook forward priority filter; policy drop;\n",
        "\tchain output {\n\t\ttype filter hook output priority filter; policy accept;\n\t\ttcp dport 25 drop\n\t}\n",
    ):
        assert line in text
    assert text.endswith("}\n\ntable ip nat_mine {\n}\n")


@at_most(60)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 9)).map(lambda pair: (pair[0], sum(pair)))))
def test_merged_ranges_hold_the_same_ports_apart_from_each_other(ranges: list[tuple[int, int]]) -> None:
    merged = merge_ranges(ranges)
    assert {port for low, high in merged for port in range(low, high + 1)} == {
        port for low, high in ranges for port in range(low, high + 1)
    }
    assert all(after[0] > before[1] + 1 for before, after in pairwise(merged))


needs_nft = pytest.mark.skipif(shutil.which("nft") is None or os.geteuid() != 0, reason="needs nft and root")


@needs_nft
@pytest.mark.system
@pytest.mark.parametrize("rules", [Ruleset(), FULL], ids=["minimal", "full"])
def test_nft_loads_it_twice_in_a_fresh_network_namespace(rules: Ruleset, tmp_path: Path) -> None:
    path = tmp_path / "rules.nft"
    path.write_text(render_ruleset(rules))
    script = f"nft -f {path} && nft -f {path} && nft list table inet holdfast"
    listed = run(["unshare", "--net", "sh", "-ec", script]).stdout.decode()
    assert "policy drop" in listed
    assert listed.count("chain input") == 1


LATE = """
import socket, subprocess, sys, time
# A connection exists before anything tracks connections; then the firewall comes, and the peer speaks first.
server = socket.create_server(("10.9.9.1", 7777))
peer = subprocess.Popen(
    ["nsenter", f"--net=/proc/{sys.argv[1]}/ns/net", sys.executable, "-c", '''
import socket
c = socket.create_connection(("10.9.9.1", 7777), timeout=5)
input()
c.sendall(b"still here")
try:
    socket.create_connection(("10.9.9.1", 7777), timeout=0.5)
except OSError:
    print("refused")
else:
    print("let in")
'''], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
connection, _ = server.accept()
connection.settimeout(3)
subprocess.run(["nft", "-f", sys.argv[2]], check=True)
peer.stdin.write("\\n"); peer.stdin.flush()
print(connection.recv(100).decode(), peer.communicate()[0].strip())
"""


@needs_nft
@pytest.mark.system
def test_a_connection_older_than_the_firewall_survives_and_a_new_one_is_refused(tmp_path: Path) -> None:
    rules = tmp_path / "rules.nft"
    rules.write_text(render_ruleset(Ruleset()))
    probe = tmp_path / "probe.py"
    probe.write_text(LATE)
    script = f"""
        unshare --net sleep 20 & peer=$!
        trap 'kill $peer' EXIT
        until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
        ip link add here type veth peer name there netns $peer
        ip addr add 10.9.9.1/24 dev here; ip link set here up
        nsenter --net=/proc/$peer/ns/net sh -ec 'ip addr add 10.9.9.2/24 dev there; ip link set there up'
        {sys.executable} {probe} $peer {rules}
    """
    out = run(["unshare", "--net", "sh", "-ec", script]).stdout.decode()
    assert out.strip() == "still here refused"
