"""The firewall: an nftables table of our own, loaded and replaced as one transaction."""

from __future__ import annotations

from holdfast.library.files import Files
from holdfast.library.network import check_interface, parse_range
from holdfast.library.packages import Packages
from holdfast.library.systemd import Systemd
from holdfast.library.types import INTERFACES, PORT_RANGES, PORTS
from holdfast.options import (
    BOOL,
    LINES,
    Config,
    Module,
    OptionSet,
    attrs_of,
    implements,
    lazy,
    null_or,
    one_of,
    option,
    submodule,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from holdfast.library.rendering.nftables import Ports
    from holdfast.options import Type

    Policy = Literal["drop", "reject", "accept"]
    Forward = Literal["accept", "drop"]

POLICY: Type[Policy, Policy] = one_of("drop", "reject", "accept")
FORWARD: Type[Forward, Forward] = one_of("accept", "drop")
RULES = "/etc/holdfast/firewall.nft"


class Interface(OptionSet, path=""):
    """What one network interface lets in besides."""

    allowed_tcp_ports = option(PORTS, doc="TCP ports.")
    allowed_udp_ports = option(PORTS, doc="UDP ports.")
    allowed_tcp_port_ranges = option(PORT_RANGES, doc="Ranges of TCP ports, both ends included.")
    allowed_udp_port_ranges = option(PORT_RANGES, doc="Ranges of UDP ports, both ends included.")


class Firewall(Interface, path="firewall"):
    """Which traffic is let in. Established connections, loopback, and what IPv6 needs to work always are."""

    enable = option(
        BOOL,
        default=False,
        doc="Load the firewall at boot, before the network. Without it nothing is filtered.",
    )
    interfaces = option(
        attrs_of(submodule(Interface)),
        doc="Ports open on one interface only, by its name; `wg*` is all whose name begins so.",
    )
    trusted_interfaces = option(INTERFACES, doc="Interfaces that let in everything.", example=["wg0"])
    allow_ping = option(BOOL, default=True, doc="Answer to ping.")
    policy = option(
        POLICY,
        default="drop",
        doc="What happens to the rest: `drop` says nothing, `reject` tells the sender, `accept` lets in all that no extra rule refused.",
    )
    log_refused = option(
        BOOL, default=False, doc="Write refused packets to the kernel's log, at most ten a second."
    )
    forward = option(
        FORWARD,
        default="accept",
        doc="What happens to traffic between other machines that is routed through this one.",
    )
    extra_input_rules = option(
        LINES,
        default="",
        doc="Further rules of nft(8) for what comes in, after the ports and before the policy.",
        example="ip saddr 10.0.0.0/8 tcp dport 9100 accept\n",
    )
    extra_forward_rules = option(LINES, default="", doc="Rules for what is forwarded.")
    extra_output_rules = option(LINES, default="", doc="Rules for what goes out; the rest goes.")
    extra_ruleset = option(
        LINES,
        default="",
        doc="Further text of the file, after our table: tables of your own. Begin each with `table FAMILY NAME` and `delete table FAMILY NAME`, since the file is loaded again on every change.",
    )
    ruleset = option(
        null_or(LINES),
        doc="The whole file in place of all of the above, for nft(8). It should define the table `inet holdfast`, which stopping the firewall deletes.",
    )


@implements(Firewall)
def firewall(m: Module) -> None:
    """Installs nftables, writes the rules, and loads them by holdfast-firewall.service."""
    with m.when(lambda c: c[Firewall].enable):
        m[Packages].install = ["nftables"]
        rules = m[Files][RULES]
        rules.text = lazy(firewall_text)
        rules.mode = "0640"
        unit = m[Systemd].services["holdfast-firewall"]
        unit.description = "Firewall"
        unit.documentation = ["man:nft(8)"]
        unit.default_dependencies = False
        unit.wants = ["network-pre.target"]
        unit.before = ["network-pre.target", "shutdown.target"]
        unit.after = ["local-fs.target", "nftables.service"]
        unit.conflicts = ["shutdown.target"]
        unit.type = "oneshot"
        unit.remain_after_exit = True
        # -f is one transaction: the old rules hold until the new ones do, and stay when these are wrong.
        unit.exec_start = ["/usr/sbin/nft", "-f", RULES]
        unit.exec_reload = [["/usr/sbin/nft", "-f", RULES]]
        unit.exec_stop = [["-/usr/sbin/nft", "delete", "table", "inet", "holdfast"]]
        unit.wanted_by = ["sysinit.target"]
        unit.reload_if_changed = True
        unit.reload_triggers = [RULES]


def firewall_text(c: Config) -> str:
    """The file that nft loads.

    Raises:
        HoldfastError: a key that names no interface, with its place.
    """
    from holdfast.library.assembling.problems import Problems
    from holdfast.library.rendering.nftables import Ruleset, render_ruleset  # only where there is a firewall

    fw = c[Firewall]
    if fw.ruleset is not None:
        return fw.ruleset
    problems = Problems(c)
    for name in fw.interfaces:
        with problems.at("firewall", "interfaces", name):
            check_interface(name)
    problems.raise_any("the firewall")
    return render_ruleset(
        Ruleset(
            everywhere=_ports(fw),
            interfaces={name: _ports(one) for name, one in fw.interfaces.items()},
            trusted_interfaces=fw.trusted_interfaces,
            allow_ping=fw.allow_ping,
            policy=fw.policy,
            log_refused=fw.log_refused,
            forward=fw.forward,
            extra_input=fw.extra_input_rules,
            extra_forward=fw.extra_forward_rules,
            extra_output=fw.extra_output_rules,
            extra=fw.extra_ruleset,
        )
    )


def _ports(one: Interface) -> Ports:
    from holdfast.library.rendering.nftables import Ports

    return Ports(
        tcp=(
            *((port, port) for port in one.allowed_tcp_ports),
            *map(parse_range, one.allowed_tcp_port_ranges),
        ),
        udp=(
            *((port, port) for port in one.allowed_udp_ports),
            *map(parse_range, one.allowed_udp_port_ranges),
        ),
    )
