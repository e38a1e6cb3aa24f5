"""From the options of OpenSSH to its files."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.library.assembling.problems import Problems
from holdfast.library.rendering import ssh as text
from holdfast.library.ssh import KEYS, Server, Ssh
from holdfast.library.types import check_account
from holdfast.options import Config

_PLAIN = (
    ("PermitRootLogin", "permit_root_login"),
    ("PasswordAuthentication", "password_authentication"),
    ("KbdInteractiveAuthentication", "kbd_interactive_authentication"),
    ("X11Forwarding", "x11_forwarding"),
    ("AllowTcpForwarding", "allow_tcp_forwarding"),
    ("MaxAuthTries", "max_auth_tries"),
    ("LoginGraceTime", "login_grace_time"),
    ("ClientAliveInterval", "client_alive_interval"),
    ("ClientAliveCountMax", "client_alive_count_max"),
    ("LogLevel", "log_level"),
    ("UseDNS", "use_dns"),
    ("Banner", "banner"),
)
_WORDS = (
    ("AuthenticationMethods", "authentication_methods"),
    ("AllowUsers", "allow_users"),
    ("AllowGroups", "allow_groups"),
    ("DenyUsers", "deny_users"),
    ("DenyGroups", "deny_groups"),
    ("AcceptEnv", "accept_env"),
)
_ALGORITHMS = (
    ("Ciphers", "ciphers"),
    ("MACs", "macs"),
    ("KexAlgorithms", "kex_algorithms"),
    ("HostKeyAlgorithms", "host_key_algorithms"),
)


def server_text(c: Config) -> str:
    """The drop-in for sshd.

    Raises:
        HoldfastError: settings that sshd could not read, each with its place.
    """
    server = c[Ssh].server
    problems = Problems(c)
    settings: list[tuple[str, text.Value]] = []
    with problems.at("ssh", "server", "settings"):
        settings = text.merge(_typed(server), server.settings)
        text.setting_lines(settings)
    for condition, block in server.match.items():
        with problems.at("ssh", "server", "match", condition):
            text.match_block(condition, block)
    problems.raise_any("the configuration of sshd")
    return text.render_server(settings, server.extra_config, server.match)


def _typed(server: Server) -> list[tuple[str, text.Value]]:
    settings: list[tuple[str, text.Value]] = []
    if server.ports:
        settings.append(("Port", server.ports))
    if server.listen_addresses:
        settings.append(("ListenAddress", server.listen_addresses))
    settings += [(name, value) for name, field in _PLAIN if (value := getattr(server, field)) is not None]
    keys: Sequence[str] = server.authorized_keys_files
    if server.authorized_keys:
        keys = (*(keys or (".ssh/authorized_keys", ".ssh/authorized_keys2")), f"{KEYS}/%u")
    for name, words in (
        ("AuthorizedKeysFile", keys),
        *((name, getattr(server, field)) for name, field in _WORDS),
    ):
        if words:
            settings.append((name, " ".join(words)))
    settings += [(name, ",".join(words)) for name, field in _ALGORITHMS if (words := getattr(server, field))]
    return settings


def authorized_keys_text(c: Config, user: str) -> str:
    """Keys of one user.

    Raises:
        HoldfastError: a key that is none, or no user's name, with its place.
    """
    problems = Problems(c)
    made = ""
    with problems.at("ssh", "server", "authorized_keys", user):
        check_account(user)
        made = text.render_keys(c[Ssh].server.authorized_keys[user])
    problems.raise_any("the configuration of sshd")
    return made


def client_text(c: Config) -> str:
    """The drop-in for ssh.

    Raises:
        HoldfastError: settings that ssh could not read, each with its place.
    """
    client = c[Ssh].client
    problems = Problems(c)
    for pattern, settings in client.hosts.items():
        with problems.at("ssh", "client", "hosts", pattern):
            text.host_block(pattern, settings)
    with problems.at("ssh", "client", "settings"):
        text.host_block("*", client.settings)
    problems.raise_any("the configuration of ssh")
    return text.render_client(client.hosts, client.settings, client.extra_config)


def known_hosts_text(c: Config) -> str:
    """The keys of all known hosts.

    Raises:
        HoldfastError: names or keys that are none, each with its place.
    """
    problems = Problems(c)
    lines: list[str] = []
    for name, host in c[Ssh].known_hosts.items():
        with problems.at("ssh", "known_hosts", name):
            names = host.names or (name,)
            lines += text.known_host_lines(names, host.public_keys, cert_authority=host.cert_authority)
    problems.raise_any("the keys of known hosts")
    return text.NOTICE + "".join(f"{line}\n" for line in lines)
