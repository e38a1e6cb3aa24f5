"""A machine that people log in to: ssh, sudo, their environment, programs with rights of their own, the kernel."""

from __future__ import annotations

from holdfast import Debian, Module, System
from holdfast.library import Environment, Packages, Ssh, Sudo, Sysctl, Users, Wrappers


def people(m: Module) -> None:
    """Ada may do everything; members of the group operators may restart one service."""
    m[Users].users["ada"].groups = ["sudo"]
    m[Users].users["ada"].shell = "/usr/bin/zsh"
    m[Users].users["bert"].groups = ["operators"]
    m[Users].users["bert"].shell = "/usr/bin/fish"
    m[Users].groups.add("operators")

    restart = m[Sudo].rules["restart"]
    restart.groups = ["operators"]
    restart.commands = [["/usr/bin/systemctl", "restart", "cron.service"]]
    restart.no_password = True
    m[Sudo].wheel_needs_password = False

    server = m[Ssh].server
    server.enable = True
    server.permit_root_login = "prohibit-password"
    server.password_authentication = False
    server.authorized_keys["ada"] = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKhu7qBJXcEyyPCkNmeTyXFbUHRyrXjSkUfXQLDpMC5I ada@example.org"
    ]


def environment(m: Module) -> None:
    """Variables, search paths and aliases, in every shell that somebody here uses."""
    m[Packages].install = ["fish", "iputils-ping", "zsh"]
    mine = m[Environment]
    mine.variables["EDITOR"] = "vi"
    mine.variables["GREETING"] = "it's $HOME"  # nothing in a value is expanded
    mine.session_variables["MANPATH"] = ["/opt/man", ""]  # joined with colons; modules may add parts
    mine.service_variables["HOLDFAST_EXAMPLE"] = "100 %"
    mine.path_prepend = ["~/.local/bin"]
    mine.aliases["ll"] = "ls -l"
    mine.zsh = True
    mine.fish = True


def rights(m: Module) -> None:
    """A copy of ping that may open raw sockets, for members of one group only."""
    ping = m[Wrappers]["ping"]
    ping.source = "/usr/bin/ping"
    ping.capabilities = ["cap_net_raw"]
    ping.group = "operators"
    ping.mode = "0750"

    m[Sysctl]["net.ipv4.ip_forward"] = True


systems = [System("people", modules=[people, environment, rights], distro=Debian("trixie"))]
