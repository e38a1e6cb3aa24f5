"""The last touches on a configured tree: what is random, a log or a cache goes; apt learns where the system comes from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from holdfast.distro.debian import within
from holdfast.distro.debian.releases import ARCHIVES, Release, default_sources, find_release, main_archive
from holdfast.distro.lockfile import PackageSet
from holdfast.manifest.model import Distribution, Source
from holdfast.sandbox.mounts import resolve_inside

_PACKAGED = "/usr/lib/systemd/system"
_OURS = "/etc/systemd/system"


def scrub(tree: Path, release: Release) -> None:
    """Remove and empty what the release's row says, without changing the time of any directory."""
    for pattern in release.scrub:
        for path in within.matches(tree, pattern):
            before = path.parent.stat()
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            os.utime(path.parent, ns=(before.st_atime_ns, before.st_mtime_ns))
    for name in release.emptied:
        within.write(tree, name, "", mode=0o444)


def remake_on_each_machine(tree: Path, release: Release) -> None:
    """Put in the row's units that make what :func:`scrub` removed, where the package that needs them is there."""
    for row in release.remade:
        wanting = [unit for unit in row.wanted_by if resolve_inside(tree, f"{_PACKAGED}/{unit}").is_file()]
        if row.wanted_by[0] in wanting:
            place = f"{_OURS}/{row.unit}"
            within.write(tree, place, row.text)
            for unit in wanting:
                within.link(tree, f"{_OURS}/{unit}.wants/{row.unit}", place)


def mark_updated(tree: Path, epoch: int) -> None:
    """Say that /etc and /var are in step with /usr, as systemd-update-done(8) does. Without that every boot of the image runs
    ldconfig, sysusers and the journal's catalog again, which configuring the packages has done.
    """
    text = "# Made with the image, after everything that depends on /usr had run.\n"
    for name in ("/etc/.updated", "/var/.updated"):
        os.utime(within.write(tree, name, text), (epoch, epoch))


def write_sources(tree: Path, package_set: PackageSet) -> None:
    """Write ``/etc/apt/sources.list.d/debian.sources`` of the system. It names the definition's mirror or the public primary
    one, never the mirror that this machine happens to use.
    """
    release = find_release(package_set.distribution.release)
    place = "/etc/apt/sources.list.d"
    if not resolve_inside(tree, place).is_dir():
        return
    files = release.keyring_files
    keyring = next((name for name in files if resolve_inside(tree, name).exists()), files[-1])
    stanzas: list[str] = []
    distribution = package_set.distribution
    for source in distribution.sources or default_sources(release, distribution.architecture):
        mirror = _public_mirror(source, distribution)
        if mirror is not None:
            stanzas.append(source_stanza(source, mirror, keyring))
    within.write(tree, f"{place}/debian.sources", "\n".join(stanzas))


def source_stanza(source: Source, mirror: str, keyring: str) -> str:
    """One paragraph of a ``.sources`` file (sources.list(5)). A key of the source's own is written into it."""
    signed = (
        keyring
        if source.key is None
        else "".join(f"\n {line or '.'}" for line in source.key.strip().splitlines())
    )
    components = f"Components: {' '.join(source.components)}\n" if source.components else ""
    valid = "" if source.check_valid_until else "Check-Valid-Until: no\n"
    separator = "" if source.key is not None else " "
    return f"Types: deb\nURIs: {mirror}\nSuites: {source.suite}\n{components}{valid}Signed-By:{separator}{signed}\n"


def _public_mirror(source: Source, distribution: Distribution) -> str | None:
    """None for an archive that only this machine's environment knows a mirror of."""
    if source.mirror is not None:
        return source.mirror
    if distribution.mirror is not None and source.archive == main_archive(distribution):
        return distribution.mirror
    archive = ARCHIVES.get(source.archive)
    return archive.primary if archive else None
