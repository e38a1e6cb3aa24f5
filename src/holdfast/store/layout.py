"""Where things lie in a store, who may write there, and how something new gets in: staged in ``tmp/``, renamed into place.

::

    oci-layout  index.json  blobs/sha256/    the OCI image layout (image-spec v1.1, image-layout.md)
    refs/                                    one file per name: the digest of an OCI manifest
    tables/                                  one file per layer, named by its diffID
    trees/<hex>/                             an unpacked layer in fs/, with the record tree.json
    leases/  tmp/  locks/  lock              work under way

Everything that becomes visible does so by one rename(2), made under the shared store lock; the garbage collector holds
that lock exclusively while it decides and deletes. What lies in ``tmp/`` carries an flock(2) while its maker lives.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.base.atomic import sync_directory, write_atomically
from holdfast.base.digests import Digest, hex_of
from holdfast.base.errors import HoldfastError, explain_os_errors
from holdfast.base.locks import file_lock

OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'

_LOCK_WAIT_SECONDS = 600.0
_OWN_NAMES = frozenset(
    {"oci-layout", "index.json", "blobs", "refs", "tables", "trees", "leases", "tmp", "locks", "lock"}
    | {"host", "engine", "packages"}  # what a machine that Holdfast looks after keeps beside its store
)


class Layout:
    """The directories of one store."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self.refs = root / "refs"
        self.tables = root / "tables"
        self.trees = root / "trees"
        self.leases = root / "leases"
        self.tmp = root / "tmp"
        self.locks = root / "locks"

    def prepare(self) -> None:
        """Check that the store is ours and make what is missing of it; a complete store is not written to.

        Raises:
            HoldfastError: it belongs to somebody else, is something else, or cannot be made.
        """
        with explain_os_errors(f"open the store {self.root}"):
            _check_owner(self.root)
            wanted = (self.blobs, self.refs, self.tables, self.trees, self.leases, self.tmp, self.locks)
            missing = [directory for directory in wanted if not directory.is_dir()]
            marker = self.root / "oci-layout"
            if not missing and marker.is_file():
                return
            _check_content(self.root)
            self.root.parent.mkdir(parents=True, exist_ok=True)
            for directory in (self.root, self.blobs.parent, *missing):
                directory.mkdir(mode=0o700, exist_ok=True)
            if not marker.is_file():
                write_atomically(marker, OCI_LAYOUT)
            sync_directory(self.blobs.parent)

    @contextmanager
    def adding(self) -> Generator[None]:
        """The store lock, shared: held for the moment in which something becomes visible."""
        with self._locked(shared=True):
            yield

    @contextmanager
    def collecting(self) -> Generator[None]:
        """The store lock, exclusive: nothing appears in the store during the body."""
        with self._locked(shared=False):
            yield

    @contextmanager
    def _locked(self, *, shared: bool) -> Generator[None]:
        lock = file_lock(
            self.root / "lock",
            shared=shared,
            wait_seconds=_LOCK_WAIT_SECONDS,
            purpose=f"the store {self.root}",
        )
        with explain_os_errors(f"lock the store {self.root}"):
            lock.__enter__()
        try:
            yield
        finally:
            lock.__exit__(None, None, None)

    @contextmanager
    def staged_file(self) -> Generator[tuple[Path, int]]:
        """A new file in ``tmp/`` (path, descriptor); gone after the body unless it was renamed away."""
        path = self.tmp / f"file-{secrets.token_hex(8)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with self.adding(), explain_os_errors(f"write to the store {self.root}"):
            descriptor = os.open(path, flags, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield path, descriptor
        finally:
            with suppress(FileNotFoundError):
                path.unlink()
            os.close(descriptor)

    @contextmanager
    def staged_directory(self, name: str = "tree") -> Generator[Path]:
        """A new directory in ``tmp/`` (mode 0700); what is left of it after the body is removed."""
        path = self.tmp / f"{name}-{secrets.token_hex(8)}"
        with self.adding(), explain_os_errors(f"write to the store {self.root}"):
            path.mkdir(mode=0o700)
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield path
        finally:
            try:
                remove_tree(path)
            finally:
                os.close(descriptor)

    def abandoned(self) -> list[Path]:
        """What dead processes left in ``tmp/``. Call it while :meth:`collecting`, so that nothing is being made."""
        return [path for path in sorted(self.tmp.iterdir()) if is_unlocked(path)]

    def blob(self, digest: Digest) -> Path:
        return self.blobs / hex_of(digest)

    def table(self, diff_id: Digest) -> Path:
        return self.tables / hex_of(diff_id)

    def tree(self, diff_id: Digest) -> Path:
        return self.trees / hex_of(diff_id)


def is_unlocked(path: Path) -> bool:
    """Whether nobody holds an flock(2) on ``path``; a path that cannot be opened counts as held."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def remove_tree(path: Path) -> None:
    """Remove a directory and all below it, also where a directory's mode keeps its unprivileged owner out.

    What another process removes meanwhile (two garbage collections at a time) is as good as removed.
    """
    if not path.exists():
        return

    def open_up_and_retry(
        function: Callable[[str], object], name: str, error: tuple[object, BaseException, object]
    ) -> None:
        if isinstance(error[1], FileNotFoundError):
            return
        if os.geteuid() == 0:
            raise error[1]
        parent = Path(name).parent
        parent.chmod(0o700)
        if Path(name).is_dir() and not Path(name).is_symlink():
            Path(name).chmod(0o700)
            shutil.rmtree(name, onerror=open_up_and_retry)
        else:
            function(name)

    with explain_os_errors(f"remove {path}"):
        shutil.rmtree(path, onerror=open_up_and_retry)


def _check_owner(root: Path) -> None:
    try:
        status = root.stat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(root))
    if status.st_uid == os.geteuid():
        return
    # Reading what cannot be written anyway (a read-only medium, a store opened to others by its owner) does no harm.
    if not os.access(root, os.W_OK) and os.access(root / "blobs" / "sha256", os.R_OK | os.X_OK):
        return
    raise HoldfastError(
        f"the store {root} belongs to uid {status.st_uid}, and this is uid {os.geteuid()}",
        resolution=f"Run the command as that user (`sudo -u '#{status.st_uid}' ...`), "
        "or set HOLDFAST_STORE to a directory of yours.",
    )


def _check_content(root: Path) -> None:
    if not root.is_dir() or (root / "oci-layout").is_file():
        return
    foreign = [
        path.name
        for path in root.iterdir()
        if path.name not in _OWN_NAMES and not path.name.startswith(".oci-layout.")
    ]
    if foreign:
        raise HoldfastError(
            f"{root} is no store: it already holds other things ({', '.join(sorted(foreign)[:3])})",
            resolution="Set HOLDFAST_STORE to an empty or a new directory.",
        )
