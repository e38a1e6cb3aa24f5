"""Signed indexes: InRelease and Packages of every source, verified, and kept as blobs."""

from __future__ import annotations

import bz2
import gzip
import lzma
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timezone
from email.utils import parsedate_to_datetime

from holdfast.base.digests import Digest, digest_bytes, parse_digest
from holdfast.base.errors import HoldfastError
from holdfast.base.events import message, stage
from holdfast.base.records import dataclass
from holdfast.distro.debian.deb822 import Paragraph, parse_paragraph
from holdfast.distro.debian.mirrors import Mirror, choose_mirror, machine_proxies
from holdfast.distro.debian.signature import signed_content
from holdfast.distro.download import Downloader, NotThereError, UnreachableError
from holdfast.distro.lockfile import LockedSource
from holdfast.manifest.model import Distribution, Source
from holdfast.store import Store

_RELEASE_LIMIT = 16 << 20
_DECOMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    ".bz2": bz2.decompress,
    "": bytes,
}


@dataclass(frozen=True)
class Listed:
    """A file that a Release file names, by its path below the suite's directory."""

    size: int
    digest: Digest


@dataclass(frozen=True)
class ReleaseFile:
    """A Release file that was signed by whom we trust (repository format: wiki.debian.org/DebianRepository/Format)."""

    fields: Paragraph
    date: int
    valid_until: int | None
    files: Mapping[str, Listed]


def fetch_indexes(
    store: Store, distribution: Distribution, sources: tuple[Source, ...]
) -> tuple[LockedSource, ...]:
    """The newest indexes of all sources, in order, as blobs of the store.

    Raises:
        HoldfastError: a mirror is down or has no such suite; a signature or a digest is wrong; an index has expired.
    """
    downloader = Downloader(machine_proxies())

    def fetch(source: Source) -> LockedSource:
        return _fetch_source(store, downloader, distribution, source)

    with stage("Fetching package indexes"), ThreadPoolExecutor(4, thread_name_prefix="indexes") as pool:
        return tuple(pool.map(fetch, sources))


def parse_release(text: str, *, what: str) -> ReleaseFile:
    """Read the content of a Release file.

    Raises:
        HoldfastError: it has no date or no SHA-256 sums.
    """
    fields = parse_paragraph(text)
    files: dict[str, Listed] = {}
    for line in fields.get("sha256", "").splitlines():
        words = line.split()
        if len(words) == 3 and words[1].isdigit():
            files[words[2]] = Listed(int(words[1]), parse_digest(words[0].lower()))
    date = _seconds(fields.get("date"))
    if date is None or not files:
        raise HoldfastError(
            f"{what} cannot be used: it has no {'date' if date is None else 'SHA-256 sums'}",
            resolution="Ask the repository's owner to add it.",
        )
    return ReleaseFile(fields, date, _seconds(fields.get("valid-until")), files)


def suite_path(suite: str) -> str:
    """Directory of a suite below its archive's root; a suite that ends in a slash is that directory itself."""
    return suite.rstrip("/") if suite.endswith("/") else f"dists/{suite}"


def read_release(store: Store, source: LockedSource, *, key: str | None) -> ReleaseFile:
    """The Release file of a locked source, its signature checked again.

    Raises:
        HoldfastError: the blob is missing, or not signed by a key that is trusted now.
    """
    what = f"the InRelease file of {source.archive} {source.suite}"
    return parse_release(
        signed_content(store.blobs.read(source.release), key=key, what=what, archive=source.archive),
        what=what,
    )


def _fetch_source(
    store: Store, downloader: Downloader, distribution: Distribution, source: Source
) -> LockedSource:
    mirror = choose_mirror(source, distribution)
    where = f"{mirror.url}/{suite_path(source.suite)}"
    what = f"{where}/InRelease"
    try:
        in_release = downloader.read(what, limit=_RELEASE_LIMIT)
        release = parse_release(
            signed_content(in_release, key=source.key, what=what, archive=source.archive), what=what
        )
        _check_identity(release, source, what)
        _check_age(release, source, mirror, what)
        indexes = {
            component: _fetch_index(store, downloader, where, release, path)
            for component, path in _index_paths(release, source, distribution.architecture, what)
        }
    except NotThereError as error:
        raise HoldfastError(
            f"the mirror {mirror.url} has no suite {source.suite!r}",
            details=f"{error.brief}\nThe mirror was chosen by {mirror.origin}.",
            resolution=_other_mirror(source),
        ) from None
    except UnreachableError as error:
        raise HoldfastError(
            f"cannot fetch the suite {source.suite!r} of the archive {source.archive!r}: {error.brief}",
            details="\n".join(
                part for part in (error.details, f"The mirror was chosen by {mirror.origin}.") if part
            ),
            resolution=f"Check the network and that mirror. {_other_mirror(source)}",
        ) from None
    return LockedSource(
        source.archive, source.suite, release.date, store.blobs.put_bytes(in_release), indexes
    )


def _other_mirror(source: Source) -> str:
    variable = "HOLDFAST_MIRROR_" + source.archive.upper().replace("-", "_")
    return f"Another one is chosen by the definition (mirror=...) or the environment variable {variable}."


def _index_paths(
    release: ReleaseFile, source: Source, architecture: str, what: str
) -> Iterator[tuple[str, str]]:
    if source.suite.endswith("/"):
        yield "", "Packages"
        return
    offered = release.fields.get("components", "").split()
    for component in source.components:
        # Debian's security archive names its components updates/main in old releases.
        if offered and component not in offered and f"updates/{component}" not in offered:
            raise HoldfastError(
                f"{what} has no component {component!r}", resolution=f"It has: {', '.join(offered)}."
            )
        yield component, f"{component}/binary-{architecture}/Packages"


def _fetch_index(store: Store, downloader: Downloader, where: str, release: ReleaseFile, path: str) -> Digest:
    """The uncompressed index as a blob; its digest is in the Release file, so one that we have is not fetched again."""
    plain = release.files.get(path)
    if plain is not None and store.blobs.has(plain.digest):
        return plain.digest
    for suffix, decompress in _DECOMPRESSORS.items():
        listed = release.files.get(path + suffix)
        if listed is None:
            continue
        directory, _, _ = path.rpartition("/")
        by_hash = f"{directory}/by-hash/SHA256/{listed.digest[7:]}".lstrip("/")
        name = by_hash if release.fields.get("acquire-by-hash") == "yes" else path + suffix
        data = downloader.read_exactly(f"{where}/{name}", size=listed.size, digest=listed.digest)
        try:
            text = decompress(data)
        except (lzma.LZMAError, OSError, EOFError, zlib.error) as error:
            raise UnreachableError(f"{where}/{name} cannot be decompressed: {error}") from None
        if plain is not None and digest_bytes(text) != plain.digest:
            raise UnreachableError(f"{where}/{name} is not, uncompressed, what its signed index names")
        return store.blobs.put_bytes(text)
    raise HoldfastError(
        f"{where} has no index {path}",
        resolution="Check the architecture and the components of that source.",
    )


def _check_identity(release: ReleaseFile, source: Source, what: str) -> None:
    """A mirror must not answer for one suite with the (rightly signed) indexes of another."""
    if source.suite.endswith("/"):
        return
    names = {release.fields.get("suite"), release.fields.get("codename")}
    wanted = source.suite.removesuffix("/updates")
    if source.suite in names or wanted in names or names == {None}:
        return
    raise HoldfastError(
        f"{what} is for the suite {release.fields.get('codename') or release.fields.get('suite')!r}, not {source.suite!r}",
        resolution="Choose another mirror.",
    )


def _check_age(release: ReleaseFile, source: Source, mirror: Mirror, what: str) -> None:
    if release.date > time.time() + 86400:
        message(f"{what} is dated {release.fields['date']}: is this machine's clock right?", level="warning")
    if release.valid_until is None or release.valid_until >= time.time():
        return
    ended = release.fields.get("valid-until", "")
    if not source.check_valid_until:
        return
    if mirror.expired_is_fine:
        message(
            f"{what} expired on {ended}; it is used because {mirror.origin} is told not to check that",
            level="warning",
        )
        return
    raise HoldfastError(
        f"{what} expired on {ended}",
        details=f"The mirror was chosen by {mirror.origin}. Either it is out of date, or somebody holds updates back.",
        resolution="Choose another mirror, or set check_valid_until=False for this source if it is meant to be old.",
    )


def _seconds(date: str | None) -> int | None:
    if date is None:
        return None
    try:
        moment = parsedate_to_datetime(date.replace("UTC", "+0000"))
        if moment.tzinfo is None:  # no zone, or "-0000": never this machine's
            moment = moment.replace(tzinfo=timezone.utc)
        return int(moment.timestamp())
    except ValueError:
        return None
