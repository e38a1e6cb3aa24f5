"""OpenSSH: the server that lets people in, what the client does, and which hosts are known."""

from __future__ import annotations

from holdfast.library.files import File, Files
from holdfast.library.firewall import Firewall
from holdfast.library.packages import Packages
from holdfast.library.systemd import Systemd
from holdfast.library.types import PORTS, SETTING, STRINGS, WORDS
from holdfast.options import (
    BOOL,
    LINES,
    STR,
    UNSIGNED,
    Config,
    Module,
    OptionSet,
    attrs_of,
    entry_name,
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

    from holdfast.options import Type

    RootLogin = Literal["yes", "prohibit-password", "forced-commands-only", "no"]
    LogLevel = Literal["QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG2", "DEBUG3"]

SERVER = "/etc/ssh/sshd_config.d/00-holdfast.conf"
KEYS = "/etc/ssh/authorized_keys.d"
CLIENT = "/etc/ssh/ssh_config.d/00-holdfast.conf"
KNOWN_HOSTS = "/etc/ssh/ssh_known_hosts"

ROOT_LOGIN: Type[RootLogin, RootLogin] = one_of("yes", "prohibit-password", "forced-commands-only", "no")
LOG_LEVEL: Type[LogLevel, LogLevel] = one_of(
    "QUIET", "FATAL", "ERROR", "INFO", "VERBOSE", "DEBUG", "DEBUG2", "DEBUG3"
)


class Server(OptionSet, path=""):
    """The server sshd, see sshd_config(5). What is left at None stays as the distribution has it."""

    enable = option(
        BOOL,
        default=False,
        doc="Install and run sshd. Its settings are a drop-in that is read before all others; host keys are left alone.",
    )
    ports = option(
        PORTS,
        default_text="22",
        doc="Ports to listen on. They add to any `Port` that somebody wrote into sshd_config itself.",
        example=[2222],
    )
    listen_addresses = option(
        WORDS, doc="Addresses to listen on, instead of all.", example=["10.0.0.5", "[::1]:22"]
    )
    open_firewall = option(BOOL, default=False, doc="Let in the ports that it listens on.")
    permit_root_login = option(null_or(ROOT_LOGIN), doc="Whether, and how, root may log in.")
    password_authentication = option(null_or(BOOL), doc="Whether passwords are accepted.")
    kbd_interactive_authentication = option(
        null_or(BOOL), doc="Whether other questions are asked: one-time codes, and passwords by way of PAM."
    )
    authentication_methods = option(
        WORDS,
        doc="Combinations of methods, each of them enough; within one, all are needed.",
        example=["publickey,keyboard-interactive"],
    )
    authorized_keys_files = option(
        WORDS,
        doc="Where each user's keys are; `%h` is the home, `%u` the name. With `authorized_keys` theirs is added.",
        example=[".ssh/authorized_keys"],
    )
    authorized_keys = option(
        attrs_of(STRINGS),
        doc=f"Public keys that may log in, by user, kept in {KEYS} where users cannot change them. Keys in a user's own home "
        "are `users.users.NAME.authorized_keys`.",
        example={
            "ada": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExampleExampleExampleExampleExampleExampleExa ada"]
        },
    )
    allow_users = option(WORDS, doc="Only these users may log in; patterns and USER@HOST work.")
    allow_groups = option(WORDS, doc="Only members of these groups may log in.", example=["ssh-login"])
    deny_users = option(WORDS, doc="These users may not log in.")
    deny_groups = option(WORDS, doc="Members of these groups may not log in.")
    x11_forwarding = option(null_or(BOOL), doc="Whether graphical programs may show windows on the client.")
    allow_tcp_forwarding = option(null_or(BOOL), doc="Whether connections may be tunnelled.")
    max_auth_tries = option(null_or(UNSIGNED), doc="Attempts to authenticate per connection.")
    login_grace_time = option(
        null_or(UNSIGNED), doc="Seconds to log in before being disconnected; 0 is no limit."
    )
    client_alive_interval = option(
        null_or(UNSIGNED), doc="Seconds of silence after which the client is asked for a sign of life."
    )
    client_alive_count_max = option(null_or(UNSIGNED), doc="Unanswered questions before it is disconnected.")
    log_level = option(null_or(LOG_LEVEL), doc="How much goes to the journal.")
    use_dns = option(null_or(BOOL), doc="Look up the names of clients.")
    banner = option(null_or(STR), doc="File shown before login; `none` for nothing.")
    accept_env = option(WORDS, doc="Variables that clients may send.", example=["LANG", "LC_*"])
    ciphers = option(
        WORDS,
        doc="Ciphers, best first; a first one that begins with + - or ^ changes the list that sshd has.",
    )
    macs = option(WORDS, doc="Message authentication codes, likewise.")
    kex_algorithms = option(WORDS, doc="Key exchange algorithms, likewise.")
    host_key_algorithms = option(WORDS, doc="Algorithms of its host keys, likewise.")
    settings = option(
        attrs_of(SETTING),
        doc="Any other setting of sshd_config(5), as it stands there; a list is one line per item.",
        example={"PermitTunnel": False},
    )
    match = option(
        attrs_of(attrs_of(SETTING)),
        doc="Settings for some connections only, by condition.",
        example={"Group sftp": {"ForceCommand": "internal-sftp", "ChrootDirectory": "/srv/sftp"}},
    )
    extra_config = option(LINES, default="", doc="Further lines, after the settings and before `match`.")


class Client(OptionSet, path=""):
    """What ssh does for everybody on the machine, see ssh_config(5). What users write themselves wins."""

    hosts = option(
        attrs_of(attrs_of(SETTING)),
        doc="Settings by host or pattern. Names come before patterns, and what comes first wins.",
        example={"web1": {"HostName": "web1.example.org", "Port": 2222}},
    )
    settings = option(
        attrs_of(SETTING),
        doc="Settings for all hosts, after those of `hosts`.",
        example={"ServerAliveInterval": 30},
    )
    extra_config = option(LINES, default="", doc="Further lines, before all others.")


class KnownHost(OptionSet, path=""):
    """One host whose key is known, see sshd(8)."""

    name = entry_name(doc="Name of the host.")
    names = option(
        WORDS,
        default_text="the key",
        doc="Its names, addresses and patterns; `[host]:port` for another port than 22.",
        example=["web1.example.org", "10.0.0.5"],
    )
    public_keys = option(
        STRINGS, doc="Its public keys.", example=["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI..."]
    )
    cert_authority = option(BOOL, default=False, doc="The keys sign the certificates of such hosts.")


class Ssh(OptionSet, path="ssh"):
    """OpenSSH. Host keys are the machine's own: Holdfast neither makes nor replaces them."""

    server = option(submodule(Server), doc="The server.")
    client = option(submodule(Client), doc="The client.")
    known_hosts = option(
        attrs_of(submodule(KnownHost)),
        doc=f"Hosts whose keys are known to everybody on the machine; with any, {KNOWN_HOSTS} is ours.",
    )


@implements(Ssh)
def ssh(m: Module) -> None:
    """Writes drop-ins beside the distribution's configuration, and reloads sshd, which first checks what it reads."""
    with m.when(lambda c: c[Ssh].server.enable):
        m[Packages].install = ["openssh-server"]
        m[Files][SERVER].text = lazy(_server)
        # Debian's unit runs `sshd -t` before a start and before a reload.
        unit = m[Systemd].services["ssh"]
        unit.from_package = True
        unit.enable = True
        unit.reload_triggers = [SERVER]
        m[Files].each(_keys_of, _write_keys)
    with m.when(lambda c: c[Ssh].server.enable and c[Ssh].server.open_firewall):
        m[Firewall].allowed_tcp_ports = lazy(lambda c: server_ports(c))
    with m.when(lambda c: bool(c[Ssh].client.hosts or c[Ssh].client.settings or c[Ssh].client.extra_config)):
        m[Files][CLIENT].text = lazy(_client)
    with m.when(lambda c: len(c[Ssh].known_hosts) > 0):
        m[Files][KNOWN_HOSTS].text = lazy(_known_hosts)


def server_ports(c: Config) -> list[int]:
    """Ports that the server listens on."""
    return list(c[Ssh].server.ports) or [22]


def _keys_of(c: Config) -> list[str]:
    return [f"{KEYS}/{user}" for user in c[Ssh].server.authorized_keys]


def _write_keys(file: File, path: str) -> None:
    user = path[len(KEYS) + 1 :]
    file.text = lazy(lambda c: _keys(c, user))


def _keys(c: Config, user: str) -> str:
    from holdfast.library.assembling.ssh import authorized_keys_text

    return authorized_keys_text(c, user)


def _server(c: Config) -> str:
    from holdfast.library.assembling.ssh import server_text

    return server_text(c)


def _client(c: Config) -> str:
    from holdfast.library.assembling.ssh import client_text

    return client_text(c)


def _known_hosts(c: Config) -> str:
    from holdfast.library.assembling.ssh import known_hosts_text

    return known_hosts_text(c)
