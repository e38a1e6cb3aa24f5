"""Package files: which of them can be had, and getting them together before anything is touched."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from holdfast.base.atomic import sync_file_system
from holdfast.base.digests import Digest, digest_bytes, digest_file, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.events import stage
from holdfast.base.process import run
from holdfast.host.files.content import NEW, copy_into
from holdfast.host.live import Blobs
from holdfast.host.packages.apt.apt import index_stanza
from holdfast.host.packages.apt.database import Installed, key
from holdfast.host.packages.apt.places import ARCHIVE, CACHE
from holdfast.host.packages.change import PackageFile
from holdfast.host.packages.record import PackageRecord
from holdfast.host.packages.wanted import WantedPackage

_DOWNLOAD_SECONDS = 600.0
_PATIENCE = ("Acquire::http::Timeout=30", "Acquire::https::Timeout=30", "Acquire::Retries=2")


def has_blob(blobs: Blobs, digest: Digest) -> bool:
    try:
        blobs(digest).close()
    except (OSError, KeyError, HoldfastError):
        return False
    return True


def wanted_stanza(blobs: Blobs, package: WantedPackage) -> str | None:
    """The index entry of a wanted package; None when its file is not there."""
    try:
        stream = blobs(package.sha256)
    except (OSError, KeyError, HoldfastError):
        return None
    with stream:
        name = PackageFile(package.name, package.version, package.architecture).file_name
        return index_stanza(stream.fileno(), size=package.size, sha256=hex_of(package.sha256), name=name)


def kept_stanza(file: PackageFile) -> str | None:
    """The index entry of a package file that we keep; None when we do not."""
    path = ARCHIVE / file.file_name
    if not path.is_file():
        return None
    return index_stanza(path, size=path.stat().st_size, sha256=hex_of(digest_file(path)), name=path.name)


def find_old(
    packages: Iterable[Installed], native: str, records: Mapping[str, PackageRecord], blobs: Blobs
) -> dict[str, PackageFile]:
    """Where the package files of what is installed now can be had, by package; with no source where nowhere."""
    found: dict[str, PackageFile] = {}
    unknown: list[str] = []
    for package in packages:
        name = key(package.name, package.architecture, native)
        file = PackageFile(package.name, package.version, package.architecture)
        record = records.get(name)
        digest = record.sha256 if record is not None and record.version == package.version else None
        if digest is not None and has_blob(blobs, digest):
            found[name] = replace(file, source="store", sha256=digest)
            continue
        if (ARCHIVE / file.file_name).is_file():
            found[name] = replace(file, source="kept")
        elif (CACHE / file.file_name).is_file():
            found[name] = replace(file, source="cache")
        else:
            found[name] = file
            unknown.append(name)
    versions = _downloadable(unknown) if unknown else {}
    for name in unknown:
        if found[name].version in versions.get(name, ()):
            found[name] = replace(found[name], source="download")
    return found


def _downloadable(names: list[str]) -> dict[str, set[str]]:
    """Versions that the machine's own apt knows a source for."""
    completed = run(["apt-cache", "madison", *names], check=False)
    versions: dict[str, set[str]] = {}
    for name, version in re.findall(r"^ *(\S+) \| *(\S+) \|", completed.text, re.M):
        versions.setdefault(name, set()).add(version)
    return versions


def gather(files: Iterable[PackageFile], blobs: Blobs, *, optional: bool = False) -> tuple[PackageFile, ...]:
    """Bring package files together in the archive directory. Returns those that could not be had, if they are ``optional``.

    Raises:
        HoldfastError: one cannot be had, or is not what it should be.
    """
    todo = sorted({file.file_name: file for file in files}.items())
    missing: list[PackageFile] = []
    with (
        _incoming() as place,
        stage("Gathering package files", total=len(todo), unit="packages") as progress,
    ):
        for _, file in todo:
            try:
                with explain_os_errors(f"keep the package file of {file.name} {file.version}"):
                    _gather(file, blobs, place)
            except HoldfastError:
                if not optional:
                    raise
                missing.append(file)
            progress.advance()
    return tuple(missing)


@contextmanager
def _incoming() -> Generator[Path]:
    """A directory whose files come into the archive at the end, once they are durable: what is there is whole, also after a power cut."""
    place = ARCHIVE / ".incoming"
    try:
        with explain_os_errors("keep package files"):
            ARCHIVE.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.rmtree(place, ignore_errors=True)  # of a run that was cut short
            place.mkdir(mode=0o700)
        yield place
        with explain_os_errors("keep package files"):
            names = sorted(path.name for path in place.iterdir())
            if names:
                sync_file_system(place)
            for name in names:
                (place / name).rename(ARCHIVE / name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _gather(file: PackageFile, blobs: Blobs, place: Path) -> None:
    there, target = ARCHIVE / file.file_name, place / file.file_name
    if there.is_file() and (file.sha256 is None or digest_file(there) == file.sha256):
        return
    if file.source == "store" and file.sha256 is not None:
        with blobs(file.sha256) as source:
            found = _copy(source, target)
        if found != file.sha256:
            target.unlink()
            raise HoldfastError(
                f"the package file of {file.name} {file.version} is damaged: its digest is {found}",
                resolution=f"Remove blobs/sha256/{hex_of(file.sha256)} from the store there (/var/lib/holdfast), and switch again, "
                "which brings it anew.",
            )
    elif file.source == "cache":
        with (CACHE / file.file_name).open("rb") as source:
            _copy(source, target)
    elif file.source == "download":
        _download(file, target)
    else:
        raise HoldfastError(f"the package file of {file.name} {file.version} cannot be had")
    if file.source != "store":
        _check(file, target)


def _copy(source: BinaryIO, target: Path) -> Digest:
    file = os.open(target, NEW, 0o600)
    try:
        return copy_into(source, file)
    except BaseException:
        target.unlink()
        raise
    finally:
        os.close(file)


def _download(file: PackageFile, target: Path) -> None:
    """Through the machine's own apt, which checks what it fetches against its signed indexes."""
    with TemporaryDirectory(dir=target.parent) as place:
        words = [f"-o{option}" for option in ("APT::Sandbox::User=root", *_PATIENCE)]
        what = f"{file.name}={file.version}"
        if file.architecture != "all":
            what = f"{file.name}:{file.architecture}={file.version}"
        run(["apt-get", "download", "-q", *words, what], cwd=Path(place), timeout=_DOWNLOAD_SECONDS)
        got = sorted(Path(place).glob("*.deb"))
        if len(got) != 1:
            raise HoldfastError(f"apt did not download {what}")
        got[0].chmod(0o600)
        got[0].rename(target)


def _check(file: PackageFile, path: Path) -> None:
    fields = run(["dpkg-deb", "--field", path, "Package", "Version", "Architecture"]).text
    found = dict(re.findall(r"^(\S+): (.*)$", fields, re.M))
    if (found.get("Package"), found.get("Version"), found.get("Architecture")) != (
        file.name,
        file.version,
        file.architecture,
    ):
        path.unlink()
        raise HoldfastError(
            f"{path.name} is not the package {file.name} {file.version} ({file.architecture})"
        )


def archive_stanzas(files: Iterable[PackageFile]) -> list[str]:
    """Index entries of gathered package files."""
    names = sorted({file.file_name for file in files})
    return [
        index_stanza(path, size=path.stat().st_size, sha256=hex_of(digest_file(path)), name=name)
        for name in names
        if (path := ARCHIVE / name).is_file()
    ]


def prune(records: Mapping[str, PackageRecord]) -> None:
    """Remove from the archive what brings nothing back any more."""
    needed = {
        PackageFile(name.partition(":")[0], record.before, record.before_architecture).file_name
        for name, record in records.items()
        if record.before is not None and record.version != record.before
    }
    with suppress(FileNotFoundError), os.scandir(ARCHIVE) as entries:
        for entry in list(entries):
            if entry.name not in needed and entry.is_file(follow_symlinks=False):
                Path(entry.path).unlink()


def fingerprint(status: bytes, extended: bytes | None) -> Digest:
    return digest_bytes(status + b"\0" + (extended or b""))
