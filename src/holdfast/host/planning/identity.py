"""Host name, locale and time zone as files (pure). See hostname(5), hosts(5), locale.conf(5), localtime(5)."""

from __future__ import annotations

import re
from collections.abc import Callable

from holdfast.base.records import dataclass
from holdfast.host.files.nodes import Symlink, Wish
from holdfast.manifest.model import Identity

_BUILT_IN_LOCALES = ("C", "POSIX", "C.UTF-8", "C.utf8")
_NEW_HOSTS = """\
127.0.0.1	localhost
::1	localhost ip6-localhost ip6-loopback
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
"""


@dataclass(frozen=True)
class IdentityFacts:
    zone_found: bool = True
    zoneinfo: bool = True
    """tzdata is there at all."""
    near_zones: tuple[str, ...] = ()
    etc_timezone: bool = False
    """The release keeps /etc/timezone."""
    locale_found: bool = True
    said: frozenset[str] = frozenset()
    """Those of the files that say in their own words what is wished, and that are not ours: they are left alone."""
    kept: frozenset[str] = frozenset()
    """Fields of the identity that nobody declared, on a machine that is there already."""


def is_built_in(locale: str) -> bool:
    """Whether glibc has the locale without any locale data."""
    return locale in _BUILT_IN_LOCALES


def locale_directory(locale: str) -> str:
    """glibc's spelling of a locale's name: ``en_US.utf8`` for ``en_US.UTF-8``."""
    name, dot, rest = locale.partition(".")
    codeset, at, modifier = rest.partition("@")
    return name + dot + re.sub(r"[^A-Za-z0-9]", "", codeset).lower() + at + modifier


def wish_identity(
    identity: Identity,
    facts: IdentityFacts,
    *,
    family: str,
    put: Callable[[str, str, str], None],
    link: Callable[[str, Wish], None],
) -> tuple[str, ...]:
    """Hand the wishes to ``put(path, text, reason)`` and ``link``; returns what is impossible."""
    problems: list[str] = []
    if "hostname" not in facts.kept and not re.fullmatch(
        r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?", identity.hostname
    ):
        problems.append(
            f"{identity.hostname!r} is no host name: at most 64 letters, digits, dots and hyphens"
        )
    if not {"hostname", "/etc/hostname"} & {*facts.kept, *facts.said}:
        put("/etc/hostname", f"{identity.hostname}\n", "host name")
    if not (identity.locale is None or "locale" in facts.kept or "/etc/locale.conf" in facts.said):
        put("/etc/locale.conf", f"LANG={identity.locale}\n", "locale")
        if family == "debian":
            # One truth for PAM, which reads /etc/default/locale, and for systemd; newer releases do the same themselves.
            link("/etc/default/locale", Wish(Symlink("../locale.conf"), "locale"))
        if not is_built_in(identity.locale) and not facts.locale_found:
            problems.append(
                f"the locale {identity.locale!r} is not generated: install the package 'locales-all', or 'locales' and let the build generate it"
            )
    if identity.timezone is not None and "timezone" not in facts.kept:
        problems += _wish_zone(identity.timezone, facts, put, link)
    return tuple(problems)


def _wish_zone(
    zone: str, facts: IdentityFacts, put: Callable[[str, str, str], None], link: Callable[[str, Wish], None]
) -> list[str]:
    problems: list[str] = []
    if facts.zone_found:
        if "/etc/localtime" not in facts.said:
            link("/etc/localtime", Wish(Symlink(f"../usr/share/zoneinfo/{zone}"), "time zone"))
    elif not facts.zoneinfo and zone not in ("UTC", "Etc/UTC"):
        problems.append(f"the time zone {zone!r} needs the package 'tzdata'")
    elif facts.zoneinfo:
        near = f"; did you mean {' or '.join(map(repr, facts.near_zones))}?" if facts.near_zones else ""
        problems.append(f"there is no time zone {zone!r}{near}")
    if facts.etc_timezone and "/etc/timezone" not in facts.said:
        put("/etc/timezone", f"{zone}\n", "time zone")
    return problems


def first_word(data: bytes | None) -> str:
    """What hostname(5) or /etc/timezone says: its first line that is neither empty nor a comment."""
    lines = (data or b"").decode("utf-8", "replace").splitlines()
    return next((line.strip() for line in lines if line.strip() and not line.strip().startswith("#")), "")


def locale_said(data: bytes | None) -> str | None:
    """LANG of locale.conf(5) or /etc/default/locale."""
    found: str | None = None
    for line in (data or b"").decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r"""\s*(?:export\s+)?LANG=(["']?)([^"']*)\1\s*""", line)
        found = match[2] if match else found
    return found or None


def zone_of(target: str) -> str | None:
    """The time zone that a link at /etc/localtime names, see localtime(5)."""
    _, found, zone = target.partition("/usr/share/zoneinfo/")
    return zone if found and zone else None


def hosts_with(data: bytes | None, hostname: str, old_line: str | None) -> tuple[bytes, str | None]:
    """hosts(5) in which ``hostname`` resolves, and our line if one is needed. ``old_line`` is ours from before."""
    text = _NEW_HOSTS if data is None else data.decode("utf-8", "surrogateescape")
    lines = [line for line in text.splitlines() if line != old_line]
    names = {name for line in lines for name in line.partition("#")[0].split()[1:]}
    short = hostname.partition(".")[0]
    ours = None
    if hostname not in names:
        ours = "127.0.1.1\t" + (hostname if short == hostname else f"{hostname} {short}")
        loopback = [index for index, line in enumerate(lines) if line.split()[:1] == ["127.0.0.1"]]
        lines.insert(loopback[-1] + 1 if loopback else 0, ours)
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogateescape"), ours


def hosts_without(data: bytes, line: str) -> bytes:
    """hosts(5) without a line of ours."""
    ours = line.encode("utf-8", "surrogateescape")
    return b"".join(one for one in data.splitlines(keepends=True) if one.rstrip(b"\n") != ours)
