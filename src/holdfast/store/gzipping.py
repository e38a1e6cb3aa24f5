"""gzip on all processors, as pigz does it: one deflate stream out of chunks that are compressed side by side.

Each chunk is primed with the 32 KiB before it, so that little is lost, and ends at a byte boundary (RFC 1951, zlib's Z_SYNC_FLUSH).
The bytes depend on the data and on zlib, not on the number of processors.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

CHUNK = 1 << 20
_WINDOW = 1 << 15
_LEVEL = 4
"""Takes half the time of level 6 for 3 % more bytes, measured on a Debian system's layer."""
_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # RFC 1952: deflate, no name, no time, no flags, unknown system


def gzip_to(write: Callable[[bytes], object], chunks: Iterable[bytes]) -> None:
    """Compress ``chunks`` (each of at least 32 KiB but the last) and hand the gzip file to ``write`` piece by piece."""
    workers = os.cpu_count() or 1
    waiting: deque[Future[bytes]] = deque()
    check, size, before = 0, 0, b""
    write(_HEADER)
    with ThreadPoolExecutor(workers, thread_name_prefix="gzip") as pool:
        for chunk, is_last in _marked(chunks):
            waiting.append(pool.submit(_deflate, chunk, before, is_last))
            check, size, before = zlib.crc32(chunk, check), size + len(chunk), chunk[-_WINDOW:]
            if len(waiting) > 2 * workers:
                write(waiting.popleft().result())
        for job in waiting:
            write(job.result())
    write(struct.pack("<LL", check, size & 0xFFFFFFFF))


def _marked(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each chunk, and whether it is the last; of none, an empty one."""
    held = b""
    for chunk in chunks:
        if held:
            yield held, False
        held = chunk
    yield held, True


def _deflate(chunk: bytes, before: bytes, is_last: bool) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    return packer.compress(chunk) + packer.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
