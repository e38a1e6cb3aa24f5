"""Fetching from mirrors and other web servers: few threads, kept connections, retries, and nothing visible before its digest is right."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, SSLError

from holdfast.base.digests import Digest, digest_bytes
from holdfast.base.errors import HoldfastError
from holdfast.base.events import Stage, stage
from holdfast.base.records import dataclass
from holdfast.store import Store

THREADS = 6
_CHUNK = 1 << 18
_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
_ATTEMPTS = 4
_PAUSE = 0.5
"""Seconds before the second attempt; doubled before each further one."""


class NotThereError(HoldfastError):
    """The server answered that it does not have the file. Caught to try the next place."""


class UnreachableError(HoldfastError):
    """No answer, or not a whole one, after several attempts. Caught to say whose choice the server was."""


@dataclass(frozen=True)
class Place:
    """One URL a file may be had from, and who chose that server."""

    url: str
    origin: str


@dataclass(frozen=True)
class Advice:
    """What errors about one kind of file say to do."""

    wrong_brief: str
    """Follows the file's name."""
    wrong: str
    absent: str
    unreachable: str


MIRRORED = Advice(
    wrong_brief="from the mirror is not what the lock says",
    wrong="Choose another mirror. If the archive itself changed, `holdfast lock --update` pins what is there now.",
    absent="`holdfast lock --update` chooses what the archive has now.",
    unreachable="Check the network, or choose another mirror (in the definition or by HOLDFAST_MIRROR_DEBIAN).",
)


@dataclass(frozen=True)
class Wanted:
    """A file of known digest, and the places to ask, in order."""

    name: str
    size: int | None
    """Bytes; None where only the digest is known."""
    digest: Digest
    places: tuple[Place, ...]
    advice: Advice = MIRRORED


class Downloader:
    """Connections to mirrors, kept between files. Safe for several threads."""

    def __init__(self, proxies: Mapping[str, str] | None = None) -> None:
        """``proxies``: scheme to proxy, where the environment (http_proxy, https_proxy, no_proxy) names none."""
        self._proxies = proxies or {}
        self._pools: dict[str | None, urllib3.PoolManager] = {}

    def read(self, url: str, *, limit: int) -> bytes:
        """The whole file, which is of unknown digest and at most ``limit`` bytes.

        Raises:
            NotThereError: it does not exist there.
            UnreachableError: the server cannot be reached or breaks off.
        """
        parts: list[bytes] = []
        received = 0
        with self._open(url, 0) as chunks:
            for chunk in chunks:
                received += len(chunk)
                if received > limit:
                    raise UnreachableError(f"{url} is larger than {limit} bytes")
                parts.append(chunk)
        return b"".join(parts)

    def read_exactly(self, url: str, *, size: int, digest: Digest) -> bytes:
        """The whole file, checked against its size and digest."""
        data = self.read(url, limit=size)
        if len(data) != size or digest_bytes(data) != digest:
            raise UnreachableError(
                f"{url} is not the file that its signed index names",
                details=f"expected {size} bytes, {digest}\ngot      {len(data)} bytes, {digest_bytes(data)}",
                resolution="The mirror is probably being updated: try again in a few minutes, or choose another mirror.",
            )
        return data

    def into_store(self, store: Store, wanted: Wanted, progress: Stage, stop: Event) -> None:
        """Fetch one file into the store's blobs, from the first place that has it.

        Raises:
            HoldfastError: no place has it, or what came is not it.
        """
        absent: list[str] = []
        for place in wanted.places:
            try:
                self._attempt(store, wanted, place, progress, stop)
                return
            except NotThereError as error:
                absent.append(f"{error.brief} ({place.origin})")
            except UnreachableError as error:
                raise HoldfastError(
                    f"cannot fetch {wanted.name}: {error.brief}",
                    details=f"That server was chosen by {place.origin}.",
                    resolution=wanted.advice.unreachable,
                ) from None
        raise HoldfastError(
            f"cannot fetch {wanted.name}: no server has it any more",
            details="\n".join(absent),
            resolution=wanted.advice.absent,
        )

    def _attempt(self, store: Store, wanted: Wanted, place: Place, progress: Stage, stop: Event) -> None:
        received = 0
        size = wanted.size
        with store.blobs.writer() as writer:
            for attempt in range(_ATTEMPTS):
                if stop.is_set() or (attempt and stop.wait(_PAUSE * 2 ** (attempt - 1))):
                    return
                try:
                    with self._open(place.url, received) as chunks:
                        for chunk in chunks:
                            received += len(chunk)
                            if stop.is_set() or (size is not None and received > size):
                                break
                            writer.write(chunk)
                            progress.advance(len(chunk))
                except UnreachableError:
                    if attempt == _ATTEMPTS - 1:
                        raise
                    continue
                if size is None or received >= size:
                    break
            if stop.is_set():
                return
            if size is not None and received != size:
                raise _wrong(wanted, place, f"{size} bytes", f"{received} bytes")
            try:
                writer.commit(wanted.digest)
            except HoldfastError as error:
                if isinstance(error.__cause__, OSError):
                    raise
                got = error.details.rpartition(" ")[2]
                raise _wrong(wanted, place, wanted.digest, got) from None

    @contextmanager
    def _open(self, url: str, offset: int) -> Generator[Iterable[bytes]]:
        """Chunks of the file from byte ``offset`` on; what goes wrong on the way becomes one of our two errors."""
        if urlsplit(url).scheme == "file":
            with _open_local(url, offset) as chunks:
                yield chunks
            return
        response: urllib3.BaseHTTPResponse | None = None
        try:
            response = self._pool(url).request(
                "GET",
                url,
                headers={"Range": f"bytes={offset}-"} if offset else {},
                preload_content=False,
                decode_content=False,
                timeout=_TIMEOUT,
                retries=urllib3.Retry(
                    total=4,
                    connect=2,
                    redirect=5,
                    backoff_factor=_PAUSE,
                    status=2,
                    status_forcelist=(502, 503),
                ),
            )
            if response.status >= 300:
                response.drain_conn()
            if response.status in (404, 410):
                raise NotThereError(f"{url} does not exist (HTTP status {response.status})")
            if response.status == 416:  # the file ends where we wanted to go on
                yield ()
                return
            if response.status not in (200, 206):
                raise UnreachableError(f"{url} answers with HTTP status {response.status}")
            chunks = response.stream(_CHUNK)
            yield _skip(chunks, offset) if offset and response.status == 200 else chunks
        except MaxRetryError as error:
            raise UnreachableError(f"{url} cannot be reached: {_reason(error.reason or error)}") from None
        except HTTPError as error:
            raise UnreachableError(f"{url} broke off: {_reason(error)}") from None
        finally:
            if response is not None:
                if response.length_remaining != 0:  # what is left unread would be taken for the next answer
                    response.close()
                response.release_conn()

    def _pool(self, url: str) -> urllib3.PoolManager:
        """One pool per proxy."""
        proxy = _proxy_for(url, self._proxies)
        pool = self._pools.get(proxy)
        if pool is None:
            pool = (
                urllib3.ProxyManager(proxy, num_pools=8, maxsize=THREADS, block=True)
                if proxy
                else urllib3.PoolManager(8, maxsize=THREADS, block=True)
            )
            self._pools[proxy] = pool
        return pool


def fetch_all(
    store: Store, wanted: Sequence[Wanted], *, title: str, proxies: Mapping[str, str] | None = None
) -> None:
    """Bring all of ``wanted`` into the store, several at a time; what is there already is not asked for.

    Raises:
        HoldfastError: of the first file that cannot be had; the others stop.
    """
    missing = sorted(
        (item for item in wanted if not store.blobs.has(item.digest)), key=lambda item: -(item.size or 0)
    )
    if not missing:
        return
    sizes = [item.size for item in missing if item.size is not None]
    total = sum(sizes) if len(sizes) == len(missing) else None
    downloader, stop = Downloader(proxies), Event()
    with (
        stage(title, total=total, unit="bytes") as progress,
        ThreadPoolExecutor(THREADS, thread_name_prefix="fetch") as pool,
    ):
        progress.note = f"{len(missing)} files" if len(missing) > 1 else missing[0].name
        jobs = [pool.submit(downloader.into_store, store, item, progress, stop) for item in missing]
        try:
            finished, _ = wait(jobs, return_when=FIRST_EXCEPTION)
            for job in finished:
                job.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _wrong(wanted: Wanted, place: Place, expected: str, got: str) -> HoldfastError:
    return HoldfastError(
        f"{wanted.name} {wanted.advice.wrong_brief}",
        details=f"expected {expected}\ngot      {got}\nfrom     {place.url} ({place.origin})",
        resolution=wanted.advice.wrong,
    )


@contextmanager
def _open_local(url: str, offset: int) -> Generator[Iterable[bytes]]:
    path = Path(unquote(urlsplit(url).path))
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            yield iter(lambda: stream.read(_CHUNK), b"")
    except FileNotFoundError:
        raise NotThereError(f"{url} does not exist") from None


def _skip(chunks: Iterable[bytes], count: int) -> Generator[bytes]:
    """``chunks`` without their first ``count`` bytes: a server without ranges begins again."""
    for chunk in chunks:
        if count >= len(chunk):
            count -= len(chunk)
            continue
        yield chunk[count:]
        count = 0


def _proxy_for(url: str, fallback: Mapping[str, str]) -> str | None:
    parts = urlsplit(url)
    exempt = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    host = parts.hostname or ""
    for suffix in (item.strip().lstrip(".") for item in exempt.split(",")):
        if suffix and (suffix == "*" or host == suffix or host.endswith("." + suffix)):
            return None
    name = f"{parts.scheme}_proxy"
    return os.environ.get(name) or os.environ.get(name.upper()) or fallback.get(parts.scheme)


def _reason(error: BaseException) -> str:
    if isinstance(error, SSLError):
        return f"its certificate is not trusted ({error})"
    text = str(error)
    return text.rpartition(": ")[2] if "Failed to" in text or "HTTPConnection" in text else text
