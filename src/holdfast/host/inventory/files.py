"""Files in /etc that somebody changed or made, as far as they say what a machine is; what is secret is only named."""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping

from holdfast.base.digests import digest_bytes
from holdfast.base.records import dataclass
from holdfast.host.accounts.tables import Accounts
from holdfast.host.files.nodes import File, Folder, Symlink
from holdfast.host.files.rooted import RootDirectory
from holdfast.host.inventory.packages import Dpkg
from holdfast.manifest.inventory import FoundFile

LARGEST = 256 * 1024
"""Bytes of a file that is still taken for configuration."""
_PLACES = (
    "apt/apt.conf", "apt/apt.conf.d", "apt/keyrings", "apt/preferences", "apt/preferences.d", "apt/sources.list",
    "apt/sources.list.d", "apt/trusted.gpg.d",
    "apache2/conf-available", "apache2/conf-enabled", "apache2/mods-enabled", "apache2/sites-available", "apache2/sites-enabled",
    "binfmt.d", "chrony/conf.d", "cron.d", "cron.daily", "cron.hourly", "cron.monthly", "cron.weekly", "docker/daemon.json",
    "environment", "environment.d", "fail2ban/jail.d", "fail2ban/jail.local", "hosts", "iptables", "issue.net",
    "logrotate.d", "modprobe.d", "modules", "modules-load.d", "motd", "netplan", "network/interfaces", "network/interfaces.d",
    "NetworkManager/conf.d", "NetworkManager/system-connections", "nftables.conf", "nftables.d",
    "nginx/conf.d", "nginx/sites-available", "nginx/sites-enabled", "nginx/snippets",
    "polkit-1/rules.d", "profile.d", "rc.local", "rsyslog.d", "security/limits.d", "ssh/ssh_config.d", "ssh/sshd_config.d",
    "sudoers.d", "sysctl.conf", "sysctl.d", "systemd/coredump.conf.d", "systemd/journald.conf.d", "systemd/logind.conf.d",
    "systemd/network", "systemd/networkd.conf.d", "systemd/resolved.conf.d", "systemd/sleep.conf.d", "systemd/system.conf.d",
    "systemd/timesyncd.conf.d", "systemd/user", "systemd/user.conf.d", "sysusers.d", "tmpfiles.d", "udev/rules.d",
)  # fmt: skip
"""Below /etc: files, and directories with all that is in them, that are configuration when no package owns them."""
_DEBRIS = (
    "*.dpkg-*",
    "*.ucf-*",
    "*~",
    ".placeholder",
    ".#*",
    "*.swp",
    "README",
    "*.wants",
    "*.requires",
    ".holdfast-*",
)
_ORIGINALS = {"/etc/motd": "/usr/share/base-files/motd"}
"""Files that packages' scripts make, and what they copy."""


@dataclass(frozen=True)
class FoundFiles:
    files: Mapping[str, FoundFile]
    links: Mapping[str, str]
    left_out: Mapping[str, str]


class FileFinder:
    """Collects files; other readers of a machine hand on what they cannot say better."""

    def __init__(self, root: RootDirectory, dpkg: Dpkg, accounts: Accounts, *, contents: bool) -> None:
        self._root, self._dpkg, self._contents = root, dpkg, contents
        self._users = {uid: name for name, uid in reversed(list(accounts.uids().items()))}
        self._groups = {gid: name for name, gid in reversed(list(accounts.gids().items()))}
        self.files: dict[str, FoundFile] = {}
        self.links: dict[str, str] = {}
        self.left_out: dict[str, str] = {}

    def result(self) -> FoundFiles:
        return FoundFiles(
            dict(sorted(self.files.items())),
            dict(sorted(self.links.items())),
            dict(sorted(self.left_out.items())),
        )

    def conffiles(self) -> None:
        """Those that are not as their package brought them."""
        for path, digest in self._dpkg.conffiles.items():
            node = self._root.locate(path).node
            if isinstance(node, File):
                data = self._root.read(path) or b""
                if hashlib.md5(data, usedforsecurity=False).hexdigest() != digest:
                    self.file(path, node, data, changed=True)
            elif isinstance(node, Symlink) and path not in self._dpkg.owned:
                self.links[path] = node.target

    def places(self) -> None:
        """What nobody's package contains, where configuration is expected."""
        for place in _PLACES:
            self.tree(f"/etc/{place}")

    def tree(self, path: str) -> None:
        """A path and all below it."""
        name = posixpath.basename(path)
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in _DEBRIS):
            return
        located = self._root.locate(path)
        if isinstance(located.node, Folder):
            for inner in located.names:
                self.tree(f"{path}/{inner}")
        elif path in self._dpkg.owned or path in self._dpkg.conffiles or located.real != path:
            return
        elif isinstance(located.node, Symlink):
            self.links[path] = located.node.target
        elif isinstance(located.node, File):
            data = self._root.read(path) or b""
            original = self._root.read(_ORIGINALS[path]) if path in _ORIGINALS else b""
            if data != original:
                self.file(path, located.node, data)

    def file(
        self, path: str, node: File, data: bytes, *, changed: bool = False, public: bool = False
    ) -> None:
        """Note a file, or only its name. ``public``: its mode says nothing about what is in it."""
        reason = secret(path, "0644" if public else node.mode, data)
        if not reason and len(data) > LARGEST:
            reason = f"it is larger than {LARGEST // 1024} KiB"
        if not reason and ("\n" in path or any("\ud800" <= char <= "\udfff" for char in path)):
            reason = "its name is no text"
        if reason:
            self.left_out[path.encode("utf-8", "replace").decode()] = reason
            return
        text = utf8(data)
        self.files[path] = FoundFile(
            digest_bytes(data),
            len(data),
            node.mode,
            self._users.get(node.uid, str(node.uid)),
            self._groups.get(node.gid, str(node.gid)),
            "changed conffile" if changed else "not from a package",
            text if self._contents else None,
            base64.b64encode(data).decode() if self._contents and text is None else None,
        )


def secret(path: str, mode: str, data: bytes) -> str:
    """Why the content of a file is nobody else's business, or nothing."""
    name = posixpath.basename(path)
    if not int(mode, 8) & 0o004:
        return "not everybody may read it"
    if re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----", data):
        return "it holds a private key"
    if name.endswith(".key") and not data.startswith(b"-----BEGIN PGP PUBLIC KEY"):
        return "its name says that it holds a key"
    return ""


def utf8(data: bytes) -> str | None:
    """The text, when it is one that a definition can hold."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def settings_of(texts: Iterable[str]) -> dict[str, str]:
    """Lines ``key = value`` of sysctl.d(5) files; later ones win."""
    found: dict[str, str] = {}
    for text in texts:
        for line in text.splitlines():
            key, separator, value = line.partition("=")
            if separator and line.strip()[:1] not in ("#", ";"):
                found[key.strip().lstrip("-").replace("/", ".")] = value.strip()
    return found
