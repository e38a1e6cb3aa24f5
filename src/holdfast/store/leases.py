"""What running work needs: digests that the garbage collector keeps until their holder lets go or dies.

A lease is a file on which its holder has an flock(2): the first line says who and what for, each further line is a digest.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from holdfast.base.digests import Digest, parse_digest
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.records import dataclass
from holdfast.store.layout import Layout, is_unlocked


@dataclass(frozen=True)
class Held:
    """A lease of a living process, as the garbage collector sees it."""

    holder: str
    digests: frozenset[Digest]


class Lease:
    """One lease file, held by this process until :meth:`release`."""

    def __init__(self, layout: Layout, purpose: str) -> None:
        self._layout = layout
        self._pid = os.getpid()
        self._path = layout.leases / f"{self._pid}-{secrets.token_hex(6)}"
        self._held: set[Digest] = set()
        self._mutex = threading.Lock()
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = -1
        with layout.adding(), explain_os_errors(f"write to the store {layout.root}"):
            self._descriptor = os.open(self._path, flags, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            line = " ".join(f"process {self._pid}: {purpose}".split())
            os.write(self._descriptor, f"{line}\n".encode(errors="replace"))

    @property
    def path(self) -> Path:
        return self._path

    @property
    def is_ours(self) -> bool:
        """False in a child that was forked after the lease was taken: it must take its own."""
        return self._pid == os.getpid()

    def add(self, digests: Iterable[Digest]) -> None:
        """Keep ``digests`` too. The caller holds the store lock (:meth:`Layout.adding`)."""
        with self._mutex:
            new = [digest for digest in digests if digest not in self._held]
            if new:
                with explain_os_errors(f"write to the store {self._layout.root}"):
                    self._append("".join(f"{digest}\n" for digest in new).encode())
                self._held.update(new)

    def _append(self, data: bytes) -> None:
        before = os.fstat(self._descriptor).st_size
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            os.ftruncate(self._descriptor, before)  # half a digest would be a damaged lease
            raise

    def release(self) -> None:
        """Let go. Twice is as good as once."""
        with self._mutex:
            if self._descriptor >= 0:
                if self.is_ours:
                    with suppress(OSError):
                        self._path.unlink()
                os.close(self._descriptor)
                self._descriptor = -1

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            self.release()


class Session:
    """The implicit lease of an open store: whatever was put or looked up through it stays while its process lives."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._lease: Lease | None = None
        self._mutex = threading.Lock()

    def ready(self) -> None:
        """Take the lease. To be called before :meth:`Layout.adding`, in which :meth:`hold` is called."""
        with self._mutex:
            if self._lease is None or not self._lease.is_ours:
                self._lease = Lease(self._layout, "using the store")

    def hold(self, *digests: Digest) -> None:
        """Keep ``digests``. The caller called :meth:`ready` and holds the store lock."""
        assert self._lease is not None
        self._lease.add(digests)

    @property
    def path(self) -> Path | None:
        return self._lease.path if self._lease is not None and self._lease.is_ours else None

    def release(self) -> None:
        with self._mutex:
            if self._lease is not None:
                self._lease.release()
                self._lease = None


def living_leases(layout: Layout, *, except_for: Path | None) -> tuple[list[Held], list[Path]]:
    """Leases whose holder lives, and the files of those whose holder died. Call it while :meth:`Layout.collecting`."""
    living: list[Held] = []
    dead: list[Path] = []
    for path in sorted(layout.leases.iterdir()):
        if path == except_for:
            continue
        if is_unlocked(path):
            dead.append(path)
            continue
        try:
            holder, *lines = path.read_text(errors="replace").split("\n")[:-1] or [path.name]
        except FileNotFoundError:
            continue
        try:
            living.append(Held(holder, frozenset(parse_digest(line) for line in lines)))
        except HoldfastError as error:
            raise HoldfastError(f"the lease {path} is damaged", details=error.brief) from None
    return living, dead
