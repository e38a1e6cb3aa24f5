"""Which mirror serves an archive: the definition's, else the environment's, else the machine's own, else the primary one.

The choice is made where packages are fetched and is never written into a lock: two machines with two mirrors build the
same system. Each choice knows where it came from, for the error that says a mirror is down.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from holdfast.base.errors import HoldfastError
from holdfast.base.process import run
from holdfast.base.records import dataclass
from holdfast.distro.debian.deb822 import parse_paragraphs
from holdfast.distro.debian.releases import ARCHIVES, main_archive
from holdfast.manifest.model import Distribution, Source

_DEBIAN_SUITE = re.compile(
    r"(?:[a-z]+|stable|oldstable|testing|unstable)(?P<kind>-updates|-backports|-proposed-updates|-security|/updates)?"
)
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>\S+\s+\S+.*)")


_NO = frozenset({"no", "false", "without", "off", "disable", "0"})  # as apt reads booleans
_SETTING = re.compile(r'(?P<name>\S+) "(?P<value>[^"]*)";')


@dataclass(frozen=True)
class Mirror:
    """Where an archive is fetched from."""

    url: str
    """Base URL without a slash at its end."""
    origin: str
    """Who chose it, as a phrase: ``the environment variable HOLDFAST_MIRROR_DEBIAN``."""
    expired_is_fine: bool = False
    """The machine's own apt is told not to mind how old this mirror's Release files are."""


@dataclass(frozen=True)
class AptSource:
    """One entry of the machine's apt sources (sources.list(5)), of type ``deb``."""

    url: str
    suite: str
    components: tuple[str, ...]
    options: Mapping[str, str]
    """Names as in deb822 files, in lower case: ``signed-by``, ``check-valid-until``."""
    file: str


def choose_mirror(
    source: Source,
    distribution: Distribution,
    *,
    environment: Mapping[str, str] | None = None,
    machine: tuple[AptSource, ...] | None = None,
) -> Mirror:
    """The mirror for ``source``. ``environment`` and ``machine`` are this process's unless given.

    Raises:
        HoldfastError: it is not one of Debian's or Ubuntu's archives and the definition names no mirror.
    """
    archive = ARCHIVES.get(source.archive)
    if source.mirror is not None:
        return Mirror(source.mirror.rstrip("/"), "the definition")
    if distribution.mirror is not None and source.archive == main_archive(distribution):
        return Mirror(distribution.mirror.rstrip("/"), "the definition")
    name = archive.environment if archive else _variable(source.archive)
    from_environment = (os.environ if environment is None else environment).get(name)
    if from_environment:
        return Mirror(from_environment.rstrip("/"), f"the environment variable {name}")
    if archive is None:
        raise HoldfastError(
            f"no mirror is known for the archive {source.archive!r} (suite {source.suite})",
            resolution=f"Set the source's mirror in the definition, or the environment variable {name}.",
        )
    for entry in read_machine_sources(Path("/")) if machine is None else machine:
        if _archive_of(entry) == source.archive:
            check = entry.options.get("check-valid-until", machine_setting("Acquire::Check-Valid-Until"))
            return Mirror(entry.url.rstrip("/"), f"this machine's {entry.file}", check.lower() in _NO)
    return Mirror(archive.primary, "the built-in table")


def read_machine_sources(root: Path) -> tuple[AptSource, ...]:
    """Enabled binary sources of the machine whose root is ``root``; what cannot be read or parsed is left out."""
    found: list[AptSource] = []
    places = [
        root / "etc/apt/sources.list",
        *sorted((root / "etc/apt/sources.list.d").glob("*.list")),
        *sorted((root / "etc/apt/sources.list.d").glob("*.sources")),
    ]
    for place in places:
        try:
            text = place.read_text(errors="replace")
        except OSError:
            continue
        parse = parse_deb822_sources if place.suffix == ".sources" else parse_one_line_sources
        found += parse(text, f"/{place.relative_to(root)}")
    return tuple(found)


def parse_deb822_sources(text: str, file: str) -> Iterator[AptSource]:
    """Entries of a ``.sources`` file."""
    for paragraph in parse_paragraphs(text):
        if paragraph.get("enabled", "yes").lower() in _NO:
            continue
        if "deb" not in paragraph.get("types", "").split():
            continue
        for url in paragraph.get("uris", "").split():
            for suite in paragraph.get("suites", "").split():
                yield AptSource(url, suite, tuple(paragraph.get("components", "").split()), paragraph, file)


def parse_one_line_sources(text: str, file: str) -> Iterator[AptSource]:
    """Entries of a ``.list`` file."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match is None:
            continue
        url, suite, *components = match["rest"].split()
        pairs = (option.partition("=") for option in (match["options"] or "").split())
        yield AptSource(
            url, suite, tuple(components), {name.lower(): value for name, _, value in pairs}, file
        )


@cache
def _machine_settings() -> Mapping[str, str]:
    if shutil.which("apt-config") is None:
        return {}
    lines = run(["apt-config", "dump"], check=False).text.splitlines()
    found = (_SETTING.fullmatch(line) for line in lines)
    return {match["name"].lower(): match["value"] for match in found if match}


def machine_setting(name: str) -> str:
    """What the machine's apt.conf(5) says, which belongs to its sources as much as their addresses do; or nothing."""
    return _machine_settings().get(name.lower(), "")


def machine_proxies() -> Mapping[str, str]:
    """Scheme to the proxy that the machine's apt uses for it."""
    found = {scheme: machine_setting(f"Acquire::{scheme}::Proxy") for scheme in ("http", "https")}
    return {scheme: proxy for scheme, proxy in found.items() if proxy and proxy != "DIRECT"}


def _archive_of(entry: AptSource) -> str | None:
    """The archive of Debian's or Ubuntu's that an entry serves; None for somebody else's repository.

    A foreign repository often uses their suite names, too: the URL or the keyring must say whose it is.
    """
    parts = urlsplit(entry.url)
    match = _DEBIAN_SUITE.fullmatch(entry.suite)
    if parts.scheme not in ("http", "https", "file") or match is None or "main" not in entry.components:
        return None
    security = match["kind"] in ("-security", "/updates")
    segments = parts.path.split("/")
    signed_by = entry.options.get("signed-by", "")
    if "ubuntu-ports" in segments:
        return "ubuntu-ports"
    if "ubuntu" in segments or "ubuntu-archive" in signed_by:
        return "ubuntu-security" if security else "ubuntu"
    archive = "debian-security" if security else "debian"
    return archive if "debian-archive" in signed_by or archive in segments else None


def _variable(archive: str) -> str:
    return "HOLDFAST_MIRROR_" + re.sub(r"[^A-Z0-9]", "_", archive.upper())
